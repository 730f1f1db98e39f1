#include "cli/top_view.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "cli/status_text.h"
#include "cli/table.h"
#include "reconciler/counted.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::size_t kNarrow = 76;     // below it there are no curves
constexpr std::size_t kEvents = 5;      // where the height is not bounded
constexpr std::size_t kRateWidth = 24;  // "38.2 Mbit/s of 40 Mbit/s"

constexpr std::array<std::string_view, 9> kCurve = {" ", "▁", "▂", "▃", "▄",
                                                    "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, 9> kAsciiCurve = {
    " ", ".", ":", "-", "=", "+", "*", "#", "@"};

bool BeginsCharacter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
}

std::size_t Columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, BeginsCharacter));
}

// The first `width` columns.
std::string Cut(std::string_view text, std::size_t width) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (BeginsCharacter(text[i]) && ++columns > width) {
      return std::string(text.substr(0, i));
    }
  }
  return std::string(text);
}

std::string Padded(std::string text, std::size_t width) {
  const std::size_t columns = Columns(text);
  if (columns < width) text.append(width - columns, ' ');
  return text;
}

void Fit(std::size_t width, StyledLine& line) {
  for (StyledText& span : line) {
    span.text = Cut(span.text, width);
    width -= Columns(span.text);
  }
}

std::string Repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (; times > 0; --times) all += text;
  return all;
}

// Of a bar of `width` columns, that part is filled. Its colour says how full
// the line is, if that is known.
StyledText Bar(double part, bool of_capacity, std::size_t width, bool unicode) {
  const double bounded = std::clamp(part, 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(
      std::lround(bounded * static_cast<double>(width)));
  Color color = Color::kNone;
  if (of_capacity) {
    color = part < 0.8    ? Color::kGreen
            : part < 0.95 ? Color::kYellow
                          : Color::kRed;
  }
  return {Repeated(unicode ? "█" : "#", filled) +
              Repeated(unicode ? "░" : ".", width - filled),
          color};
}

// The newest `width` values, the last at the right; `full` is the highest step.
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

std::string HealthWords(const v1::UplinkStatus& uplink) {
  if (!uplink.has_health()) return "not probed";
  const v1::HealthStatus& health = uplink.health();
  std::string words = "health " + health.state();
  if (health.has_latency()) {
    words +=
        ", " +
        std::to_string(TimeUtil::DurationToMilliseconds(health.latency())) +
        " ms";
  }
  return words + ", loss " + HumanShare(health.loss());
}

// One direction: its rate now, how much of the line that is, and how it was.
StyledLine DrawRate(const std::string& name, const std::deque<double>& rates,
                    std::uint64_t capacity_bits, const TopShape& shape) {
  const double now = rates.back();
  const double capacity = static_cast<double>(capacity_bits) / 8;
  const double most = std::ranges::max(rates);
  const double full = capacity > 0 ? capacity : most;
  std::string words = HumanRate(now);
  if (capacity > 0) words += " of " + HumanRate(capacity);
  const std::size_t taken = 7 + kRateWidth + 2;
  const std::size_t room = shape.width > taken ? shape.width - taken : 0;
  const bool curve = shape.width >= kNarrow;
  const std::size_t bar = curve ? room / 2 : room;
  StyledLine line = {
      {Padded("  " + name, 7)},
      Bar(full > 0 ? now / full : 0, capacity > 0, bar, shape.unicode),
      {" " + Padded(words, kRateWidth)}};
  if (curve) {
    line.push_back(
        {" " + Curve(rates, full, room - bar, shape.unicode), Color::kDim});
  }
  return line;
}

void DrawUplink(const v1::UplinkStatus& uplink, const TopFrame& frame,
                const TopShape& shape, std::vector<StyledLine>& lines) {
  lines.push_back({});
  lines.push_back({{Padded(uplink.name(), 12) + " ", Color::kBold},
                   {Padded(uplink.phase(), 8), PhaseColor(uplink.phase())},
                   {" " + uplink.interface() + "  " + HealthWords(uplink) +
                    "  " + Counted(uplink.connections(), "connection") +
                    "  share " + HumanShare(uplink.achieved_share()) + " of " +
                    HumanShare(uplink.intended_share())}});
  if (!uplink.reason().empty()) {
    lines.push_back({{"  " + uplink.reason(), Color::kYellow}});
  }
  const RateHistory::Rates* rates = frame.history.Of(uplink.name());
  if (rates == nullptr) return;
  const v1::Capacity& capacity = uplink.capacity();
  lines.push_back(DrawRate("down", rates->receive,
                           capacity.download().bits_per_second(), shape));
  lines.push_back(DrawRate("up", rates->transmit,
                           capacity.upload().bits_per_second(), shape));
}

void DrawHead(const TopFrame& frame, std::vector<StyledLine>& lines) {
  const v1::Status& status = frame.status;
  const bool in_sync = status.generation() != 0 &&
                       status.generation() == status.observed_generation();
  std::string name = status.name().empty() ? "uplinkd" : status.name();
  if (!status.revision().empty()) name += " " + status.revision();
  StyledLine head = {{name, Color::kBold}, {"  "}};
  if (status.generation() == 0) {
    head.push_back({"no spec yet", Color::kYellow});
  } else if (in_sync) {
    head.push_back({"in sync", Color::kGreen});
  } else {
    head.push_back({"NOT in sync", Color::kRed});
  }
  head.push_back({"  generation " + std::to_string(status.generation()) + ", " +
                  Counted(status.corrections(), "correction")});
  lines.push_back(std::move(head));
  if (!frame.trouble.empty()) {
    lines.push_back({{frame.trouble, Color::kRed}});
  }
  for (const v1::Condition& condition : status.conditions()) {
    if (!IsBad(condition)) continue;
    lines.push_back(
        {{condition.type() + " " + condition.status() + ": ", Color::kRed},
         {condition.reason() + ": " + condition.message()}});
  }
}

// Newest first, as many as there is room for.
void DrawEvents(const v1::EventsResponse& events, std::size_t room,
                std::vector<StyledLine>& lines) {
  if (room < 3 || events.events().empty()) return;
  lines.push_back({});
  lines.push_back({{"Lately", Color::kBold}});
  room -= 2;
  for (int i = events.events_size() - 1; i >= 0 && room > 0; --i, --room) {
    const v1::Event& event = events.events(i);
    std::string words = event.message();
    if (words.empty() && event.plan_size() > 0) {
      words = event.plan(0).command() + "  # " + event.plan(0).reason();
    }
    lines.push_back(
        {{"  " + TimeUtil::ToString(event.time()) + " ", Color::kDim},
         {event.trigger() + " " + event.result()},
         {words.empty() ? "" : ": " + words}});
  }
}

}  // namespace

void RateHistory::Note(const v1::Status& status) {
  std::set<std::string> there;
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    if (!uplink.has_receive_bytes_per_second()) continue;
    there.insert(uplink.name());
    Rates& rates = rates_[uplink.name()];
    rates.receive.push_back(uplink.receive_bytes_per_second());
    rates.transmit.push_back(uplink.transmit_bytes_per_second());
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

std::vector<StyledLine> DrawTop(const TopFrame& frame, const TopShape& shape) {
  std::vector<StyledLine> lines;
  DrawHead(frame, lines);
  for (const v1::UplinkStatus& uplink : frame.status.uplinks()) {
    DrawUplink(uplink, frame, shape, lines);
  }
  std::size_t room = kEvents + 2;
  if (shape.height > 0) {
    room = shape.height > lines.size() ? shape.height - lines.size() : 0;
  }
  DrawEvents(frame.events, room, lines);
  if (shape.height > 0 && lines.size() > shape.height) {
    lines.resize(shape.height);
  }
  for (StyledLine& line : lines) Fit(shape.width, line);
  return lines;
}

}  // namespace uplinkd
