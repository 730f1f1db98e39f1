#include "proto/text_check.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

namespace uplinkd {
namespace {

struct Sequence {
  std::size_t length;      // bytes; 0: no sequence begins with this byte
  std::uint32_t smallest;  // code point that needs this many
};

Sequence SequenceOf(unsigned char first) {
  if (first < 0x80) return {1, 0};
  if (first >= 0xc2 && first <= 0xdf) return {2, 0x80};
  if (first >= 0xe0 && first <= 0xef) return {3, 0x800};
  if (first >= 0xf0 && first <= 0xf4) return {4, 0x10000};
  return {0, 0};
}

// The length of the code point at the front of `text`; 0 if there is none.
std::size_t CodePointLength(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const Sequence sequence = SequenceOf(first);
  if (sequence.length <= 1) return sequence.length;
  if (sequence.length > text.size()) return 0;
  std::uint32_t point = first & (0xffU >> (sequence.length + 1));
  for (std::size_t i = 1; i < sequence.length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return 0;
    point = point << 6 | (next & 0x3fU);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < sequence.smallest || point > 0x10ffff || surrogate) return 0;
  return sequence.length;
}

bool IsForbidden(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x7f || (byte < 0x20 && c != '\t' && c != '\n' && c != '\r');
}

// "0x1b" or "\\x1b".
std::string HexOf(const char* prefix, char c) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%s%02x", prefix,
                static_cast<unsigned>(static_cast<unsigned char>(c)));
  return text.data();
}

// Whether the code point at the front, of `length` bytes, steers a terminal.
// Those of C1 are 0xc2 and their number.
bool IsControl(std::string_view text, std::size_t length) {
  const auto byte = static_cast<unsigned char>(text.front());
  if (length == 1) return byte < 0x20 || byte == 0x7f;
  return length == 2 && byte == 0xc2 &&
         static_cast<unsigned char>(text[1]) < 0xa0;
}

}  // namespace

std::optional<SpecFault> CheckText(std::string_view text) {
  Position position{1, 1};
  while (!text.empty()) {
    const std::size_t length = CodePointLength(text);
    if (length == 0 || IsForbidden(text.front())) {
      const std::string what =
          length == 0 ? "is not UTF-8 text" : "is a control character";
      return SpecFault{.file = "",
                       .position = position,
                       .field = "",
                       .message = "the byte " + HexOf("0x", text.front()) +
                                  " " + what + "; a spec is YAML or JSON"};
    }
    if (text.front() == '\n') {
      position = {position.line + 1, 1};
    } else {
      position.column += static_cast<int>(length);
    }
    text.remove_prefix(length);
  }
  return std::nullopt;
}

std::string VisibleText(std::string_view text) {
  std::string visible;
  while (!text.empty()) {
    const std::size_t length = CodePointLength(text);
    const std::size_t taken = length == 0 ? 1 : length;
    if (text.front() == '\n') {
      visible += "\\n";
    } else if (length == 0 || IsControl(text, length)) {
      visible += HexOf("\\x", text[taken - 1]);
    } else {
      visible += text.substr(0, length);
    }
    text.remove_prefix(taken);
  }
  return visible;
}

}  // namespace uplinkd
