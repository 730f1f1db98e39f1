#include "cli/top_uplinks.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

#include "cli/status_text.h"
#include "cli/table.h"
#include "cli/top_text.h"
#include "proto/text_check.h"
#include "reconciler/counted.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::size_t kNarrow = 76;     // below it there are no curves
constexpr std::size_t kRateWidth = 24;  // "38.2 Mbit/s of 40 Mbit/s"
constexpr std::size_t kWideGap = 60;    // below it columns are one space apart

// In the order of how much they matter.
constexpr std::array<std::string_view, 10> kTitles = {
    "UPLINK", "PHASE", "HEALTH",  "CONNS", "SHARE",
    "DOWN",   "UP",    "LATENCY", "LOSS",  "INTERFACE"};
constexpr std::size_t kImportant = 5;  // of them are never left out
constexpr std::size_t kLeastName = 6;  // columns

using Widths = std::array<std::size_t, kTitles.size()>;
using Cells = std::array<StyledText, kTitles.size()>;

int Rank(const v1::UplinkStatus& uplink) {
  if (uplink.phase() == "Ready") {
    return uplink.health().state() == "Degraded" ? 2 : 3;
  }
  return PhaseColor(uplink.phase()) == Color::kRed ? 0 : 1;
}

std::string LatencyOf(const v1::UplinkStatus& uplink) {
  if (!uplink.health().has_latency()) return "-";
  return std::to_string(
             TimeUtil::DurationToMilliseconds(uplink.health().latency())) +
         " ms";
}

std::string HealthWords(const v1::UplinkStatus& uplink) {
  if (!uplink.has_health()) return "not probed";
  const v1::HealthStatus& health = uplink.health();
  std::string words = "health " + health.state();
  if (health.has_latency()) words += ", " + LatencyOf(uplink);
  return words + ", loss " + LossWords(health);
}

// One direction: its rate now, how much of the line that is, and how it was.
// Without a capacity nobody knows how much of the line it is.
StyledLine DrawRate(const std::string& name, const std::deque<double>& rates,
                    std::uint64_t capacity_bits, const TopShape& shape) {
  const double now = rates.back();
  const double capacity = static_cast<double>(capacity_bits) / 8;
  const double most = std::ranges::max(rates);
  std::string words = HumanRate(now);
  if (capacity > 0) words += " of " + HumanRate(capacity);
  const std::size_t taken = 7 + kRateWidth + 2;
  const std::size_t room = shape.width > taken ? shape.width - taken : 0;
  const bool curve = shape.width >= kNarrow;
  const std::size_t bar = curve ? room / 2 : room;
  StyledLine line = {{PadText("  " + name, 7)},
                     capacity > 0
                         ? CapacityBar(now / capacity, bar, shape.unicode)
                         : StyledText{std::string(bar, ' ')},
                     {" " + PadText(words, kRateWidth)}};
  if (curve) {
    line.push_back({" " + Curve(rates, capacity > 0 ? capacity : most,
                                room - bar, shape.unicode),
                    Color::kDim});
  }
  return line;
}

// `parts` behind `line`, in as many lines as they need.
void Wrap(StyledLine line, const std::vector<std::string>& parts,
          std::size_t width, std::vector<StyledLine>& lines) {
  std::size_t taken = 0;
  for (const StyledText& span : line) taken += TextColumns(span.text);
  std::string gap = " ";
  for (const std::string& part : parts) {
    const std::size_t more = gap.size() + TextColumns(part);
    if (taken + more > width) {
      lines.push_back(std::exchange(line, {}));
      taken = 0;
      gap = "  ";
    }
    line.push_back({gap + part});
    taken += gap.size() + TextColumns(part);
    gap = "  ";
  }
  lines.push_back(std::move(line));
}

void DrawStanding(const v1::UplinkStatus& uplink, std::size_t width,
                  std::vector<StyledLine>& lines) {
  const StyledLine begin = {
      {PadText(uplink.name(), 12) + " ", Color::kBold},
      {PadText(uplink.phase(), 8), PhaseColor(uplink.phase())}};
  std::vector<std::string> parts = {
      uplink.interface(), HealthWords(uplink),
      Counted(uplink.connections(), "connection"),
      "share " + HumanShare(uplink.achieved_share()) + " of " +
          HumanShare(uplink.intended_share())};
  std::vector<StyledLine> drawn;
  Wrap(begin, parts, width, drawn);
  if (drawn.size() > 1) {
    // What it is called matters less than how it is.
    std::rotate(parts.begin(), parts.begin() + 1, parts.end());
    drawn.clear();
    Wrap(begin, parts, width, drawn);
  }
  std::ranges::move(drawn, std::back_inserter(lines));
}

std::string ShareOf(const v1::UplinkStatus& uplink) {
  return std::to_string(std::lround(uplink.achieved_share() * 100)) + "/" +
         HumanShare(uplink.intended_share());
}

Cells CellsOf(const v1::UplinkStatus& uplink) {
  const v1::HealthStatus& health = uplink.health();
  const bool probed = uplink.has_health();
  return {StyledText{uplink.name(), Color::kBold},
          {uplink.phase(), PhaseColor(uplink.phase())},
          {probed ? health.state() : "-",
           probed ? HealthColor(health.state()) : Color::kNone},
          {std::to_string(uplink.connections())},
          {ShareOf(uplink)},
          {uplink.has_receive_bytes_per_second()
               ? HumanRate(SettledRate(uplink.receive_bytes_per_second()))
               : "-"},
          {uplink.has_transmit_bytes_per_second()
               ? HumanRate(SettledRate(uplink.transmit_bytes_per_second()))
               : "-"},
          {LatencyOf(uplink)},
          {probed ? LossWords(health) : "-"},
          {uplink.interface()}};
}

// How many columns fit. Where the important ones do not, names are cut.
std::size_t FitColumns(std::size_t width, std::size_t gap, Widths& widths) {
  const auto important = widths.begin() + kImportant;
  std::size_t total =
      std::accumulate(widths.begin(), important, gap * (kImportant - 1));
  if (total > width) {
    const std::size_t over = total - width;
    widths[0] = std::max(widths[0] > over ? widths[0] - over : 0,
                         std::min(widths[0], kLeastName));
    return kImportant;
  }
  std::size_t columns = kImportant;
  while (columns < widths.size() && total + gap + widths[columns] <= width) {
    total += gap + widths[columns++];
  }
  return columns;
}

StyledLine DrawCells(const Cells& cells, const Widths& widths,
                     std::size_t columns, std::size_t gap) {
  StyledLine line;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::string text =
        PadText(CutText(cells[i].text, widths[i]), widths[i]);
    line.push_back({text, cells[i].color});
    line.push_back({std::string(gap, ' ')});
  }
  return line;
}

}  // namespace

UplinkPointers WorstFirst(const v1::Status& status) {
  UplinkPointers uplinks;
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    uplinks.push_back(&uplink);
  }
  std::ranges::stable_sort(uplinks, {}, [](const v1::UplinkStatus* uplink) {
    return Rank(*uplink);
  });
  return uplinks;
}

std::vector<StyledLine> DrawUplink(const v1::UplinkStatus& uplink,
                                   const RateHistory& history,
                                   const TopShape& shape) {
  std::vector<StyledLine> lines;
  DrawStanding(uplink, shape.width, lines);
  if (!uplink.reason().empty()) {
    lines.push_back({{"  " + uplink.reason(), Color::kYellow}});
  }
  const RateHistory::Rates* rates = history.Of(uplink.name());
  if (rates == nullptr) return lines;
  const v1::Capacity& capacity = uplink.capacity();
  lines.push_back(DrawRate("down", rates->receive,
                           capacity.download().bits_per_second(), shape));
  lines.push_back(DrawRate("up", rates->transmit,
                           capacity.upload().bits_per_second(), shape));
  return lines;
}

std::vector<StyledLine> DrawUplinkTable(const UplinkPointers& uplinks,
                                        std::size_t width) {
  std::vector<Cells> rows(1);
  for (std::size_t i = 0; i < kTitles.size(); ++i) {
    rows[0][i] = {std::string(kTitles[i]), Color::kBold};
  }
  for (const v1::UplinkStatus* uplink : uplinks) {
    rows.push_back(CellsOf(*uplink));
  }
  Widths widths{};
  for (Cells& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i].text = VisibleText(row[i].text);
      widths[i] = std::max(widths[i], TextColumns(row[i].text));
    }
  }
  const std::size_t gap = width < kWideGap ? 1 : 2;
  const std::size_t columns = FitColumns(width, gap, widths);
  std::vector<StyledLine> lines = {DrawCells(rows[0], widths, columns, gap)};
  for (std::size_t i = 0; i < uplinks.size(); ++i) {
    // Why an uplink carries nothing says more than how little it carries.
    const std::string& reason = uplinks[i]->reason();
    lines.push_back(DrawCells(rows[i + 1], widths,
                              reason.empty() ? columns : kImportant, gap));
    if (!reason.empty()) lines.back().push_back({reason, Color::kYellow});
  }
  return lines;
}

}  // namespace uplinkd
