#include "cli/screen.h"

#include <unistd.h>

#include <cstdlib>

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

std::string Screen::Paint(Color color, std::string_view text) const {
  std::string painted(text);
  if (!color_ || color == Color::kNone || text.empty()) return painted;
  return std::string(CodeOf(color)) + painted + "\x1b[0m";
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
