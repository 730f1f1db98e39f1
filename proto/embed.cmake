# Writes OUTPUT, a C++ source that holds INPUT, a file of any bytes; see
# spec_comments.h.
#
#   cmake -DOUTPUT=spec_comments.cc -DINPUT=spec.desc -P embed.cmake
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
file(WRITE ${OUTPUT} "// Made by proto/embed.cmake.
#include \"proto/spec_comments.h\"

namespace uplinkd {

std::string_view SpecDescriptorSet() {
  static constexpr char kBytes[] = \"${bytes}\";
  return {kBytes, sizeof(kBytes) - 1};
}

}  // namespace uplinkd
")
