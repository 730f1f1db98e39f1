// top: status, rates and events on a terminal, live.
#include <google/protobuf/util/time_util.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "cli/session.h"
#include "cli/status_text.h"
#include "cli/terminal.h"
#include "cli/top_view.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A key waits for no answer longer than this.
constexpr milliseconds kPatience{2000};
constexpr std::uint32_t kMostEvents = 50;

struct TopOptions {
  milliseconds interval{1000};
  std::uint32_t count = 0;  // 0: until the end, or once if not on a terminal
};

void Print(const std::vector<StyledLine>& lines, const Screen& screen) {
  for (const StyledLine& line : lines) {
    for (const StyledText& span : line) {
      screen.out() << screen.Paint(span.color, span.text);
    }
    screen.out() << '\n';
  }
  screen.out() << std::flush;
}

// Looks at the agent again and again.
class Top {
 public:
  explicit Top(const Session& session)
      : client_(session.address, std::min(session.timeout, kPatience)) {}

  // Keeps what is shown where the agent does not answer, and says so.
  CallResult<void> Look() {
    v1::EventsRequest request;
    request.set_count(kMostEvents);
    const auto status = client_.Status();
    const auto events =
        status ? client_.Events(request) : tl::unexpected(status.error());
    frame_.now = google::protobuf::util::TimeUtil::GetCurrentTime();
    if (!events) {
      const auto silent =
          std::chrono::duration<double>(steady_clock::now() - answered_);
      frame_.trouble = "for " + HumanAge(silent.count()) +
                       " no answer: " + events.error().message;
      return tl::unexpected(events.error());
    }
    answered_ = steady_clock::now();
    frame_.answered = true;
    frame_.trouble.clear();
    frame_.status = status->status();
    frame_.events = *events;
    frame_.history.Note(frame_.status);
    return {};
  }
  // `shape` but for its characters.
  TopPicture Draw(TopShape shape) const {
    shape.unicode = unicode_;
    return DrawTop(frame_, shape);
  }

 private:
  Client client_;
  TopFrame frame_;
  steady_clock::time_point answered_ = steady_clock::now();
  bool unicode_ = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
};

// What `top` shows on a terminal, and how the user has scrolled it.
class LiveView {
 public:
  LiveView(Terminal& terminal, const Top& top)
      : terminal_(&terminal), top_(&top) {}

  void Show() {
    shape_.width = terminal_->width();
    shape_.height = terminal_->height();
    picture_ = top_->Draw(shape_);
    terminal_->Show(picture_.lines);
  }
  // Obeys keys until then; false after 'q'. Draws at once when the terminal's
  // size changes.
  bool WaitUntil(steady_clock::time_point end) {
    for (;;) {
      Show();
      const Terminal::Key key = terminal_->WaitForKey(
          std::chrono::ceil<milliseconds>(end - steady_clock::now()));
      if (key == Terminal::Key::kQuit) return false;
      if (key == Terminal::Key::kNone) return true;
      if (key == Terminal::Key::kHelp) shape_.keys = !shape_.keys;
      shape_.first = ScrollTo(key, picture_);
      // A key that is held down must not keep the picture from being renewed.
      if (steady_clock::now() >= end) return true;
    }
  }

 private:
  Terminal* terminal_;
  const Top* top_;
  TopShape shape_;
  TopPicture picture_;
};

// Until 'q', or `count` looks.
void Live(const TopOptions& options, Terminal& terminal, Top& top) {
  LiveView view(terminal, top);
  view.Show();  // the first look may take a while
  for (std::uint32_t looks = 1;; ++looks) {
    (void)top.Look();  // the picture says what is wrong
    const bool on = view.WaitUntil(steady_clock::now() + options.interval);
    if (!on || looks == options.count) return;
  }
}

ExitCode Plain(const TopOptions& options, const Screen& screen, Top& top) {
  constexpr std::size_t kWidth = 120;
  const std::uint32_t count = std::max(options.count, 1U);
  for (std::uint32_t looks = 1; looks <= count; ++looks) {
    if (looks > 1) {
      std::this_thread::sleep_for(options.interval);
      screen.out() << '\n';
    }
    const CallResult<void> looked = top.Look();
    if (!looked) return PrintError(looked.error(), nullptr, screen);
    Print(top.Draw({.width = kWidth}).lines, screen);
  }
  return ExitCode::kOk;
}

ExitCode RunTop(const TopOptions& options, const Session& session) {
  std::setlocale(LC_CTYPE, "");
  Top top(session);
  const Screen screen = session.screen();
  const std::unique_ptr<Terminal> terminal =
      Terminal::Open(WantsColor(session.color, STDOUT_FILENO));
  if (terminal == nullptr) return Plain(options, screen, top);
  Live(options, *terminal, top);
  return ExitCode::kOk;
}

}  // namespace

void AddTopVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "top", "Watch the uplinks live: rates, health, shares, last events");
  const auto options = std::make_shared<TopOptions>();
  AddDurationOption(verb, "--interval", options->interval,
                    "From one look to the next");
  verb.add_option("-n,--count", options->count,
                  "End after so many looks; without a terminal: 1")
      ->type_name("N");
  verb.footer(
      "Per uplink: its phase and why, its health, its connections, the share "
      "of\n"
      "new connections that it got of what it should get, and for each "
      "direction\n"
      "the rate now, a bar of the capacity, and a curve of the last looks; "
      "one\n"
      "line each where that does not fit. Uplinks that are not Ready come "
      "first.\n"
      "q quits; the arrows, j and k, PgUp, PgDn, Home and End scroll; ? names\n"
      "the keys. Where the output is no terminal, it is plain text.\n"
      "\nExit: 0, 3 no agent (on a terminal it says so, and goes on)\n"
      "\nExamples:\n"
      "  uplinkctl top\n"
      "  uplinkctl top --interval 5s\n"
      "  uplinkctl top -n 10 | tee uplinks.txt");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return RunTop(*options, session); };
  });
}

}  // namespace uplinkd
