// PageFiles: the files of the live page, as parts of the program.
//
// Made from exporters/page/ when the program is built (embed.cmake).
#ifndef UPLINKD_EXPORTERS_PAGE_FILES_H_
#define UPLINKD_EXPORTERS_PAGE_FILES_H_

#include <span>
#include <string_view>

namespace uplinkd {

struct PageFile {
  std::string_view path;  // "/page/app.js"; of the page itself "/"
  std::string_view type;  // "text/javascript; charset=utf-8"
  std::string_view text;
};

// Live as long as the program.
std::span<const PageFile> PageFiles();

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_PAGE_FILES_H_
