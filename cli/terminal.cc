#include "cli/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

// Last: it defines macros with everyday names.
#define NCURSES_NOMACROS
#include <curses.h>

namespace uplinkd {
namespace {

struct EndCurses {
  void operator()(SCREEN* screen) const {
    endwin();
    delscreen(screen);
  }
};
using Curses = std::unique_ptr<SCREEN, EndCurses>;

short PairOf(Color color) {
  switch (color) {
    case Color::kRed: return 1;
    case Color::kGreen: return 2;
    case Color::kYellow: return 3;
    default: return 0;
  }
}

attr_t AttributeOf(Color color) {
  switch (color) {
    case Color::kBold: return A_BOLD;
    case Color::kDim: return A_DIM;
    default: return A_NORMAL;
  }
}

// `code` is that of getch().
Terminal::Key KeyOf(int code) {
  using Key = Terminal::Key;
  switch (code) {
    case ERR: return Key::kNone;
    case 'q':
    case 'Q': return Key::kQuit;
    case 'k':
    case KEY_UP: return Key::kUp;
    case 'j':
    case KEY_DOWN: return Key::kDown;
    case KEY_PPAGE: return Key::kPageUp;
    case KEY_NPAGE: return Key::kPageDown;
    case KEY_HOME: return Key::kHome;
    case KEY_END: return Key::kEnd;
    case '?': return Key::kHelp;
    default: return Key::kOther;
  }
}

void SetUp(bool color) {
  cbreak();
  noecho();
  keypad(stdscr, true);
  curs_set(0);
  if (!color || !has_colors()) return;
  start_color();
  use_default_colors();
  init_pair(PairOf(Color::kRed), COLOR_RED, -1);
  init_pair(PairOf(Color::kGreen), COLOR_GREEN, -1);
  init_pair(PairOf(Color::kYellow), COLOR_YELLOW, -1);
}

class NcursesTerminal final : public Terminal {
 public:
  explicit NcursesTerminal(Curses curses) : curses_(std::move(curses)) {}

  std::size_t width() const override { return static_cast<std::size_t>(COLS); }
  std::size_t height() const override {
    return static_cast<std::size_t>(LINES);
  }

  void Show(const std::vector<StyledLine>& lines) override {
    erase();
    for (std::size_t row = 0; row < lines.size(); ++row) {
      move(static_cast<int>(row), 0);
      for (const StyledText& span : lines[row]) {
        attr_set(AttributeOf(span.color), PairOf(span.color), nullptr);
        addstr(span.text.c_str());
      }
    }
    attr_set(A_NORMAL, 0, nullptr);
    refresh();
  }

  Key WaitForKey(std::chrono::milliseconds patience) override {
    using Count = std::chrono::milliseconds::rep;
    timeout(static_cast<int>(std::max<Count>(0, patience.count())));
    return KeyOf(getch());
  }

 private:
  Curses curses_;
};

}  // namespace

std::unique_ptr<Terminal> Terminal::Open(bool color) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return nullptr;
  Curses curses(newterm(nullptr, stdout, stdin));
  if (curses == nullptr) return nullptr;
  SetUp(color);
  return std::make_unique<NcursesTerminal>(std::move(curses));
}

}  // namespace uplinkd
