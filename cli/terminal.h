// Terminal: the whole screen of a terminal, drawn by ncurses.
#ifndef UPLINKD_CLI_TERMINAL_H_
#define UPLINKD_CLI_TERMINAL_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cli/screen.h"

namespace uplinkd {

struct StyledText {
  std::string text;  // UTF-8; each character is one column wide
  Color color = Color::kNone;
};
using StyledLine = std::vector<StyledText>;

// The terminal is as it was before once it goes; ncurses sees to that also
// where a signal ends the program. One at a time.
class Terminal {
 public:
  enum class Key {
    kNone,
    kQuit,  // q
    kUp,    // or k
    kDown,  // or j
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kHelp,  // ?
    kOther,
  };

  virtual ~Terminal() = default;

  // Null: standard input and output are no terminal that can do it.
  static std::unique_ptr<Terminal> Open(bool color);

  virtual std::size_t width() const = 0;
  virtual std::size_t height() const = 0;
  virtual void Show(const std::vector<StyledLine>& lines) = 0;
  // kNone: none was pressed in that time. Another size is kOther.
  virtual Key WaitForKey(std::chrono::milliseconds patience) = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_CLI_TERMINAL_H_
