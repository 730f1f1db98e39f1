// The head of a request: what of it the HTTP library gets to see.
//
// The library bounds neither the number of header fields nor what a range of
// bytes costs: it makes a part of the answer for each, and matches their list,
// as it does the path, by a function that calls itself for each character.
// Pure.
#ifndef UPLINKD_EXPORTERS_HTTP_HEAD_H_
#define UPLINKD_EXPORTERS_HTTP_HEAD_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace uplinkd {

// Browsers send a host's cookies to each of its ports: some KB.
constexpr std::size_t kMaxHeadBytes = 16384;
constexpr std::size_t kMaxHeadLines = 128;
constexpr std::size_t kMaxRequestLine = 1024;  // our paths are far shorter

// Behind the empty line that ends a head; npos if there is none yet, which is
// known of the first `seen` bytes.
std::size_t EndOfHead(std::string_view text, std::size_t seen = 0);

struct AdmittedHead {
  int refusal = 0;   // an HTTP status; 0: none
  std::string text;  // what the library may see; "" if refused
};

// Of a whole head, or of one that has grown too long; of what follows it there
// is nothing left, since nobody reads a body. Takes out the fields that
// ask for ranges, as a server may; of the encodings it leaves gzip, since the
// library's brotli takes a third of a second for a scrape.
AdmittedHead AdmitHead(std::string_view head);

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_HTTP_HEAD_H_
