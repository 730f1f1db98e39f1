#include "cli/screen.h"

#include <unistd.h>

#include <cstdlib>

#include "proto/text_check.h"

namespace uplinkd {
namespace {

std::string_view CodeOf(Color color) {
  switch (color) {
    case Color::kNone: return "";
    case Color::kRed: return "\x1b[31m";
    case Color::kGreen: return "\x1b[32m";
    case Color::kYellow: return "\x1b[33m";
    case Color::kDim: return "\x1b[2m";
    case Color::kBold: return "\x1b[1m";
  }
  return "";
}

std::string_view Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

const TextStream& TextStream::operator<<(std::string_view text) const {
  *stream_ << VisibleText(text);
  return *this;
}

const TextStream& TextStream::operator<<(const AsItIs& text) const {
  *stream_ << text.text;
  return *this;
}

const TextStream& TextStream::operator<<(const char* literal) const {
  *stream_ << literal;
  return *this;
}

const TextStream& TextStream::operator<<(char c) const {
  *stream_ << c;
  return *this;
}

const TextStream& TextStream::operator<<(
    std::ostream& (*manipulator)(std::ostream&)) const {
  *stream_ << manipulator;
  return *this;
}

AsItIs Screen::Paint(Color color, std::string_view text) const {
  std::string visible = VisibleText(text);
  if (!color_ || color == Color::kNone || text.empty()) {
    return {std::move(visible)};
  }
  return {std::string(CodeOf(color)) + visible + "\x1b[0m"};
}

bool WantsColor(ColorMode mode, int fd) {
  switch (mode) {
    case ColorMode::kAlways: return true;
    case ColorMode::kNever: return false;
    case ColorMode::kAuto: break;
  }
  return Environment("NO_COLOR").empty() && Environment("TERM") != "dumb" &&
         isatty(fd) == 1;
}

}  // namespace uplinkd
