# Writes OUTPUT, a C++ source that holds the FILES of DIRECTORY; see
# page_files.h.
#
#   cmake -DOUTPUT=page_files.cc -DDIRECTORY=page "-DFILES=app.js|index.html"
#         -P embed.cmake
set(type_css "text/css; charset=utf-8")
set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_LICENSE "text/plain; charset=utf-8")

set(texts "")
set(entries "")
set(number 0)
string(REPLACE "|" ";" files "${FILES}")
foreach(name IN LISTS files)
  string(REGEX REPLACE "^.*[./]" "" ending ${name})
  if(NOT DEFINED type_${ending})
    message(FATAL_ERROR "${name}: of what type is it?")
  endif()
  set(path "/page/${name}")
  if(name STREQUAL "index.html")
    set(path "/")
  endif()
  file(READ ${DIRECTORY}/${name} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  string(APPEND texts "constexpr char kText${number}[] =\n    \"${bytes}\";\n")
  string(APPEND entries "    {\"${path}\", \"${type_${ending}}\",\n"
    "     {kText${number}, sizeof(kText${number}) - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUTPUT} "// Made by exporters/embed.cmake.
#include \"exporters/page_files.h\"

namespace uplinkd {
namespace {

${texts}
constexpr PageFile kFiles[] = {
${entries}};

}  // namespace

std::span<const PageFile> PageFiles() {
  return kFiles;
}

}  // namespace uplinkd
")
