#include "cli/top_view.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "cli/status_text.h"
#include "cli/top_text.h"
#include "cli/top_uplinks.h"
#include "reconciler/counted.h"

namespace uplinkd {
namespace {

constexpr std::size_t kEvents = 5;     // where the height is not bounded
constexpr std::size_t kFewEvents = 3;  // have room before uplinks scroll
constexpr std::size_t kLeastRows = 4;  // of uplinks come before events
constexpr std::size_t kHeading = 2;    // lines above events: a blank, a title

constexpr std::array<std::string_view, 5> kKeys = {
    "  q               quit", "  Up Down, k j    an uplink up, down",
    "  PgUp PgDn       a page up, down",
    "  Home End        the first, the last",
    "  ?               events in place of this"};

StyledLine DrawName(const TopFrame& frame, bool stale) {
  const v1::Status& status = frame.status;
  const bool in_sync = status.generation() != 0 &&
                       status.generation() == status.observed_generation();
  std::string name = status.name().empty() ? "uplinkd" : status.name();
  if (!status.revision().empty()) name += " " + status.revision();
  StyledLine head = {{name, Color::kBold}, {"  "}};
  if (status.generation() == 0) {
    head.push_back({"no spec yet", Color::kYellow});
  } else if (in_sync) {
    head.push_back({"in sync", stale ? Color::kYellow : Color::kGreen});
  } else {
    head.push_back({"NOT in sync", Color::kRed});
  }
  head.push_back({"  generation " + std::to_string(status.generation()) + ", " +
                  Counted(status.corrections(), "correction")});
  return head;
}

std::vector<StyledLine> DrawHead(const TopFrame& frame) {
  std::vector<StyledLine> lines;
  const std::string stale = StaleWords(frame.status, frame.now);
  if (!frame.answered) {
    lines.push_back({{"uplinkctl waits for the agent", Color::kYellow}});
  } else {
    lines.push_back(DrawName(frame, !stale.empty() || !frame.trouble.empty()));
  }
  if (!frame.trouble.empty()) {
    lines.push_back({{frame.trouble, Color::kRed}});
  }
  if (!stale.empty()) lines.push_back({{stale, Color::kYellow}});
  for (const v1::Condition& condition : frame.status.conditions()) {
    if (!IsBad(condition)) continue;
    lines.push_back(
        {{condition.type() + " " + condition.status() + ": ", Color::kRed},
         {condition.reason() + ": " + condition.message()}});
  }
  return lines;
}

// Newest first, as many as there is room for.
void DrawEvents(const TopFrame& frame, std::size_t room,
                std::vector<StyledLine>& lines) {
  const auto& events = frame.events.events();
  if (room <= kHeading || events.empty()) return;
  lines.push_back({});
  lines.push_back({{"Lately (UTC)", Color::kBold}});
  room -= kHeading;
  for (int i = events.size() - 1; i >= 0 && room > 0; --i, --room) {
    const v1::Event& event = events[i];
    std::string words = event.message();
    if (words.empty() && event.plan_size() > 0) {
      words = event.plan(0).command() + "  # " + event.plan(0).reason();
    }
    lines.push_back(
        {{"  " + TimeOfDay(event.time(), frame.now) + " ", Color::kDim},
         {event.trigger() + " " + event.result()},
         {words.empty() ? "" : ": " + words}});
  }
}

void DrawKeys(std::vector<StyledLine>& lines) {
  lines.push_back({});
  lines.push_back({{"Keys", Color::kBold}});
  for (const std::string_view key : kKeys) {
    lines.push_back({StyledText{std::string(key)}});
  }
}

StyledLine DrawFooter(bool scrolls) {
  std::string words = "q quits  ? keys";
  if (scrolls) words += "  arrows PgUp PgDn Home End scroll";
  return {{words, Color::kDim}};
}

// "5 more above, 8 more below"
StyledLine DrawHidden(std::size_t above, std::size_t below) {
  std::string words;
  if (above > 0) words = std::to_string(above) + " more above";
  if (below > 0) {
    if (above > 0) words += ", ";
    words += std::to_string(below) + " more below";
  }
  return {{words, Color::kYellow}};
}

std::size_t Less(std::size_t from, std::size_t what) {
  return from > what ? from - what : 0;
}

// What is to have room below the uplinks, in lines.
std::size_t RoomBelow(const TopFrame& frame, const TopShape& shape) {
  if (shape.keys) return kHeading + kKeys.size();
  const auto events = static_cast<std::size_t>(frame.events.events_size());
  return events == 0 ? 0 : kHeading + std::min(events, kFewEvents);
}

// All uplinks in their full form; false, and nothing, if that takes more than
// `room` lines.
bool DrawFull(const UplinkPointers& uplinks, const TopFrame& frame,
              const TopShape& shape, std::size_t room, TopPicture& picture) {
  std::vector<StyledLine> lines;
  for (const v1::UplinkStatus* uplink : uplinks) {
    lines.push_back({});
    std::ranges::move(DrawUplink(*uplink, frame.history, shape),
                      std::back_inserter(lines));
    if (lines.size() > room) return false;
  }
  std::ranges::move(lines, std::back_inserter(picture.lines));
  picture.shown = uplinks.size();
  return true;
}

// A line each, as many as fit into `room` lines with `below` lines left.
void DrawCompact(const UplinkPointers& uplinks, const TopShape& shape,
                 std::size_t room, std::size_t below, TopPicture& picture) {
  const std::size_t rows = uplinks.size();
  room = Less(room, 2);  // a blank, and the titles
  const bool cramped = std::min(rows, kLeastRows) + 1 + below > room;
  if (cramped && !shape.keys) below = 0;
  const bool all = rows + below <= room;
  picture.shown = all ? rows : std::max(Less(room, below + 1), std::size_t{1});
  picture.first = std::min(shape.first, rows - picture.shown);
  const std::vector<StyledLine> table = DrawUplinkTable(uplinks, shape.width);
  picture.lines.push_back({});
  picture.lines.push_back(table[0]);
  const auto first =
      table.begin() + 1 + static_cast<std::ptrdiff_t>(picture.first);
  std::copy_n(first, picture.shown, std::back_inserter(picture.lines));
  if (all) return;
  picture.lines.push_back(
      DrawHidden(picture.first, rows - picture.first - picture.shown));
}

}  // namespace

void RateHistory::Note(const v1::Status& status) {
  std::set<std::string> there;
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    if (!uplink.has_receive_bytes_per_second()) continue;
    there.insert(uplink.name());
    Rates& rates = rates_[uplink.name()];
    rates.receive.push_back(SettledRate(uplink.receive_bytes_per_second()));
    rates.transmit.push_back(SettledRate(uplink.transmit_bytes_per_second()));
    if (rates.receive.size() <= kMost) continue;
    rates.receive.pop_front();
    rates.transmit.pop_front();
  }
  std::erase_if(
      rates_, [&](const auto& entry) { return !there.contains(entry.first); });
}

const RateHistory::Rates* RateHistory::Of(const std::string& uplink) const {
  const auto found = rates_.find(uplink);
  return found == rates_.end() ? nullptr : &found->second;
}

TopPicture DrawTop(const TopFrame& frame, const TopShape& shape) {
  const bool bounded = shape.height > 0;
  TopPicture picture;
  std::vector<StyledLine>& lines = picture.lines;
  lines = DrawHead(frame);
  // Of what is wrong the first is worth more than an uplink, the rest is not.
  if (bounded) lines.resize(std::min(lines.size(), 2 + shape.height / 4));
  const UplinkPointers uplinks = WorstFirst(frame.status);
  const std::size_t room =
      bounded ? Less(shape.height, lines.size() + 1)  // and the footer
              : std::numeric_limits<std::size_t>::max();
  const std::size_t below = bounded ? RoomBelow(frame, shape) : 0;
  if (!DrawFull(uplinks, frame, shape, Less(room, below), picture)) {
    DrawCompact(uplinks, shape, room, below, picture);
  }
  if (shape.keys) {
    DrawKeys(lines);
  } else {
    DrawEvents(
        frame,
        bounded ? Less(shape.height, lines.size() + 1) : kEvents + kHeading,
        lines);
  }
  if (bounded) {
    lines.resize(shape.height - 1);
    lines.push_back(DrawFooter(picture.shown < uplinks.size()));
  }
  for (StyledLine& line : lines) FitLine(shape.width, line);
  return picture;
}

std::size_t ScrollTo(Terminal::Key key, const TopPicture& picture) {
  using Key = Terminal::Key;
  switch (key) {
    case Key::kUp: return Less(picture.first, 1);
    case Key::kDown: return picture.first + 1;
    case Key::kPageUp: return Less(picture.first, picture.shown);
    case Key::kPageDown: return picture.first + picture.shown;
    case Key::kHome: return 0;
    case Key::kEnd: return std::numeric_limits<std::size_t>::max();
    default: return picture.first;
  }
}

}  // namespace uplinkd
