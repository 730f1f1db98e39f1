#include "exporters/http_head.h"

#include <strings.h>

#include <algorithm>

namespace uplinkd {
namespace {

bool IsField(std::string_view line, const std::string& name) {
  return line.substr(0, line.find(':')).size() == name.size() &&
         strncasecmp(line.data(), name.c_str(), name.size()) == 0;
}

std::string_view Admitted(std::string_view line) {
  if (IsField(line, "Range")) return "";
  if (!IsField(line, "Accept-Encoding")) return line;
  return line.find("gzip") == std::string_view::npos
             ? ""
             : "Accept-Encoding: gzip\r\n";
}

}  // namespace

std::size_t EndOfHead(std::string_view text, std::size_t seen) {
  constexpr std::string_view kEnd = "\n\r\n";
  const std::size_t at =
      text.find(kEnd, seen - std::min(seen, kEnd.size() - 1));
  return at == std::string_view::npos ? at : at + kEnd.size();
}

AdmittedHead AdmitHead(std::string_view head) {
  head = head.substr(0, EndOfHead(head));
  constexpr int kTooLongAPath = 414;
  constexpr int kTooManyFields = 431;
  if (head.find('\n') > kMaxRequestLine) return {.refusal = kTooLongAPath};
  if (head.size() > kMaxHeadBytes) return {.refusal = kTooManyFields};
  AdmittedHead result;
  for (std::size_t lines = 0; !head.empty(); ++lines) {
    if (lines == kMaxHeadLines) return {.refusal = kTooManyFields};
    const std::size_t end = head.find('\n');
    const std::string_view line =
        head.substr(0, end == std::string_view::npos ? end : end + 1);
    result.text += lines == 0 ? line : Admitted(line);
    head.remove_prefix(line.size());
  }
  return result;
}

}  // namespace uplinkd
