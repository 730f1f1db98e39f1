// Screen: where a verb prints, and whether colour is wanted there.
//
// Results go to `out`, which other programs read; words for people about what
// went wrong go to `err`. Colour never carries meaning that the text lacks.
#ifndef UPLINKD_CLI_SCREEN_H_
#define UPLINKD_CLI_SCREEN_H_

#include <ostream>
#include <string>
#include <string_view>

namespace uplinkd {

enum class ColorMode { kAuto, kAlways, kNever };

enum class Color { kNone, kRed, kGreen, kYellow, kDim, kBold };

class Screen {
 public:
  Screen(std::ostream& out, std::ostream& err, bool color)
      : out_(&out), err_(&err), color_(color) {}

  std::ostream& out() const { return *out_; }
  std::ostream& err() const { return *err_; }

  // `text` with the terminal's codes around it; as it is without colour.
  std::string Paint(Color color, std::string_view text) const;

 private:
  std::ostream* out_;
  std::ostream* err_;
  bool color_;
};

// kAuto: colour on a terminal, unless NO_COLOR is set (no-color.org) or the
// terminal is dumb. `fd` is where the output goes.
bool WantsColor(ColorMode mode, int fd);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_SCREEN_H_
