// Screen: where a verb prints, and whether colour is wanted there.
//
// Results go to `out`, which other programs read; words for people about what
// went wrong go to `err`. Colour never carries meaning that the text lacks.
// What others wrote cannot steer the terminal, nor look like a line of ours.
#ifndef UPLINKD_CLI_SCREEN_H_
#define UPLINKD_CLI_SCREEN_H_

#include <concepts>
#include <ostream>
#include <string>
#include <string_view>

namespace uplinkd {

enum class ColorMode { kAuto, kAlways, kNever };

enum class Color { kNone, kRed, kGreen, kYellow, kDim, kBold };

// Printed as it is: whole documents (JSON, a script), and painted text.
struct AsItIs {
  std::string text;
};

// Where text goes. A string may hold what others wrote, so its control
// characters are made visible, line ends too. Our own words are literals.
class TextStream {
 public:
  explicit TextStream(std::ostream& stream) : stream_(&stream) {}

  const TextStream& operator<<(std::string_view text) const;
  const TextStream& operator<<(const std::string& text) const {
    return *this << std::string_view(text);
  }
  const TextStream& operator<<(const AsItIs& text) const;
  const TextStream& operator<<(const char* literal) const;
  const TextStream& operator<<(char c) const;
  const TextStream& operator<<(std::integral auto number) const {
    *stream_ << number;
    return *this;
  }
  // std::endl and std::flush.
  const TextStream& operator<<(
      std::ostream& (*manipulator)(std::ostream&)) const;

 private:
  std::ostream* stream_;
};

class Screen {
 public:
  Screen(std::ostream& out, std::ostream& err, bool color)
      : out_(out), err_(err), color_(color) {}

  const TextStream& out() const { return out_; }
  const TextStream& err() const { return err_; }

  // `text`, made visible, with the terminal's codes around it; without them if
  // there is no colour.
  AsItIs Paint(Color color, std::string_view text) const;

 private:
  TextStream out_;
  TextStream err_;
  bool color_;
};

// kAuto: colour on a terminal, unless NO_COLOR is set (no-color.org) or the
// terminal is dumb. `fd` is where the output goes.
bool WantsColor(ColorMode mode, int fd);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_SCREEN_H_
