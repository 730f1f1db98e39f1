#include "cli/top_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "proto/text_check.h"

namespace uplinkd {
namespace {

constexpr std::array<std::string_view, 9> kCurve = {" ", "▁", "▂", "▃", "▄",
                                                    "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 9> kAsciiCurve = {
    " ", ".", ":", "-", "=", "+", "*", "#", "@"};

bool BeginsCharacter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
}

std::string Repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (; times > 0; --times) all += text;
  return all;
}

}  // namespace

std::size_t TextColumns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, BeginsCharacter));
}

std::string CutText(std::string_view text, std::size_t width) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (BeginsCharacter(text[i]) && ++columns > width) {
      return std::string(text.substr(0, i));
    }
  }
  return std::string(text);
}

std::string PadText(std::string text, std::size_t width) {
  const std::size_t columns = TextColumns(text);
  if (columns < width) text.append(width - columns, ' ');
  return text;
}

void FitLine(std::size_t width, StyledLine& line) {
  for (StyledText& span : line) {
    span.text = CutText(VisibleText(span.text), width);
    width -= TextColumns(span.text);
  }
}

StyledText CapacityBar(double part, std::size_t width, bool unicode) {
  const double bounded = std::clamp(part, 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(
      std::lround(bounded * static_cast<double>(width)));
  const Color color = part < 0.8    ? Color::kGreen
                      : part < 0.95 ? Color::kYellow
                                    : Color::kRed;
  return {Repeated(unicode ? "█" : "#", filled) +
              Repeated(unicode ? "░" : ".", width - filled),
          color};
}

std::string Curve(const std::deque<double>& values, double full,
                  std::size_t width, bool unicode) {
  const auto& steps = unicode ? kCurve : kAsciiCurve;
  const std::size_t shown = std::min(width, values.size());
  std::string curve(width - shown, ' ');
  for (std::size_t i = values.size() - shown; i < values.size(); ++i) {
    const double part = full > 0 ? std::clamp(values[i] / full, 0.0, 1.0) : 0;
    curve += steps.at(static_cast<std::size_t>(
        std::ceil(part * static_cast<double>(steps.size() - 1))));
  }
  return curve;
}

}  // namespace uplinkd
