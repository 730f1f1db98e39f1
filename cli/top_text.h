// Text of "uplinkctl top" measured in columns, and its bars and curves. Pure.
#ifndef UPLINKD_CLI_TOP_TEXT_H_
#define UPLINKD_CLI_TOP_TEXT_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace uplinkd {

// Each character of UTF-8 is one column wide.
std::size_t TextColumns(std::string_view text);
// The first `width` columns.
std::string CutText(std::string_view text, std::size_t width);
// With spaces behind it, at least `width` columns.
std::string PadText(std::string text, std::size_t width);
// Cuts what is wider than `width`, and makes control characters visible.
void FitLine(std::size_t width, StyledLine& line);

// A bar of `width` columns, filled by that part of a capacity. Its colour says
// how full the line is.
StyledText CapacityBar(double part, std::size_t width, bool unicode);

// The newest `width` values, the last at the right; `full` is the highest step.
std::string Curve(const std::deque<double>& values, double full,
                  std::size_t width, bool unicode);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_TOP_TEXT_H_
