#include "cli/status_text.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "cli/plan_text.h"
#include "cli/table.h"
#include "reconciler/counted.h"

namespace uplinkd {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

// The agent publishes each second, a busy one a little later.
constexpr std::int64_t kFreshMilliseconds = 3000;

std::string Age(const Timestamp& then, const Timestamp& now) {
  if (then.seconds() == 0) return "-";
  return HumanAge(static_cast<double>(now.seconds() - then.seconds()));
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

// What follows the name.
std::string Headline(const v1::Status& status) {
  std::string text;
  if (!status.revision().empty()) text += " (" + status.revision() + ")";
  if (status.generation() == 0) {
    text += ": no spec yet; give it one with \"uplinkctl apply -f FILE\"";
  } else if (status.generation() == status.observed_generation()) {
    text += ": generation " + std::to_string(status.generation());
  } else {
    text += ": generation " + std::to_string(status.generation()) +
            ", the kernel was last seen to hold " +
            std::to_string(status.observed_generation());
  }
  return text + ", " + Counted(status.corrections(), "correction") +
         ", uplinkd " + status.agent_version();
}

void PrintConditions(const v1::Status& status, const Timestamp& now,
                     const Screen& screen) {
  if (status.conditions().empty()) return;
  Table table({"CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"});
  for (const v1::Condition& condition : status.conditions()) {
    table.AddRow(
        {{condition.type()},
         {condition.status(), IsBad(condition) ? Color::kRed : Color::kGreen},
         {OrDash(condition.reason())},
         {Age(condition.last_transition(), now)},
         {condition.message()}});
  }
  screen.out() << '\n';
  table.Print(screen);
}

// "IPv6: 2001:db8:1::2 behind fe80::1, LANs as 2001:db8:a100::/56"
std::string Ipv6Note(const v1::UplinkStatus& uplink) {
  std::string note = "IPv6: " + uplink.address6();
  if (!uplink.gateway6().empty()) note += " behind " + uplink.gateway6();
  if (!uplink.prefix6().empty()) note += ", LANs as " + uplink.prefix6();
  return note;
}

// "shares wan0 with cable: no counter tells their traffic apart"; "" if it is
// alone there.
std::string SharersNote(const v1::Status& status,
                        const v1::UplinkStatus& uplink) {
  std::string others;
  for (const v1::UplinkStatus& other : status.uplinks()) {
    if (other.interface() != uplink.interface() ||
        other.name() == uplink.name()) {
      continue;
    }
    others += (others.empty() ? "" : ", ") + other.name();
  }
  if (others.empty()) return "";
  return "shares " + uplink.interface() + " with " + others +
         ": no counter tells their traffic apart";
}

void PrintUplinks(const v1::Status& status, const Screen& screen) {
  if (status.uplinks().empty()) return;
  Table table({"UPLINK", "PHASE", "INTERFACE", "ADDRESS", "GATEWAY", "INTENDED",
               "ACHIEVED", "DOWN", "UP", "CONNECTIONS"});
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    table.AddRow(
        {{uplink.name()},
         {uplink.phase(), PhaseColor(uplink.phase())},
         {uplink.interface()},
         {OrDash(uplink.address())},
         {OrDash(uplink.gateway())},
         {HumanShare(uplink.intended_share())},
         {HumanShare(uplink.achieved_share())},
         {uplink.has_receive_bytes_per_second()
              ? HumanRate(SettledRate(uplink.receive_bytes_per_second()))
              : "-"},
         {uplink.has_transmit_bytes_per_second()
              ? HumanRate(SettledRate(uplink.transmit_bytes_per_second()))
              : "-"},
         {std::to_string(uplink.connections())}});
    if (const std::string note = SharersNote(status, uplink); !note.empty()) {
      table.AddNote(note);
    }
    if (!uplink.address6().empty()) table.AddNote(Ipv6Note(uplink));
    if (!uplink.reason().empty()) {
      table.AddNote(uplink.reason(), Color::kYellow);
    }
  }
  screen.out() << '\n';
  table.Print(screen);
}

std::string Milliseconds(const google::protobuf::Duration& duration) {
  return std::to_string(TimeUtil::DurationToMilliseconds(duration)) + "ms";
}

std::string LastResult(const v1::ProbeStatus& probe) {
  if (!probe.has_answered()) return "-";
  return probe.answered() ? Milliseconds(probe.latency()) : probe.fault();
}

// One line per probe; what is the uplink's own stands in the first.
void PrintHealth(const v1::Status& status, const Screen& screen) {
  Table table({"UPLINK", "HEALTH", "LOSS", "LATENCY", "PROBE", "LAST ANSWER"});
  bool any = false;
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    if (!uplink.has_health()) continue;
    const v1::HealthStatus& health = uplink.health();
    bool first = true;
    for (const v1::ProbeStatus& probe : health.probes()) {
      any = true;
      const std::string latency =
          health.has_latency() ? Milliseconds(health.latency()) : "-";
      table.AddRow({{first ? uplink.name() : ""},
                    {first ? health.state() : "", HealthColor(health.state())},
                    {first ? LossWords(health) : ""},
                    {first ? latency : ""},
                    {probe.name()},
                    {LastResult(probe)}});
      first = false;
    }
    // Of a line that is down the reason is that of its phase.
    if (health.state() == "Degraded") {
      table.AddNote(health.reason(), Color::kYellow);
    }
  }
  if (!any) return;
  screen.out() << '\n';
  table.Print(screen);
}

// "generation 3: Programmed True, Ready False (UplinkWaiting); wan1 Ready"
std::string ShortStatus(const v1::Status& status) {
  std::string text = "generation " + std::to_string(status.generation());
  for (const v1::Condition& condition : status.conditions()) {
    text += ", " + condition.type() + " " + condition.status();
    if (IsBad(condition)) text += " (" + condition.reason() + ")";
  }
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    text += ", " + uplink.name() + " " + uplink.phase();
  }
  return text;
}

}  // namespace

Color PhaseColor(const std::string& phase) {
  if (phase == "Ready") return Color::kGreen;
  const bool harmless =
      phase == "Waiting" || phase == "Draining" || phase == "Disabled";
  return harmless ? Color::kYellow : Color::kRed;
}

Color HealthColor(const std::string& state) {
  if (state == "Up") return Color::kGreen;
  return state == "Down" ? Color::kRed : Color::kYellow;
}

std::string StaleWords(const v1::Status& status, const Timestamp& now) {
  // An older agent does not tell.
  if (!status.has_published()) return "";
  const auto age = TimeUtil::DurationToMilliseconds(now - status.published());
  if (age <= kFreshMilliseconds) return "";
  return "what is shown is as of " + HumanAge(static_cast<double>(age) / 1000) +
         " ago";
}

std::string MomentWords(const Timestamp& moment) {
  Timestamp rounded = moment;
  rounded.set_nanos(moment.nanos() / 1000000 * 1000000);
  return TimeUtil::ToString(rounded);
}

std::string TimeOfDay(const Timestamp& moment, const Timestamp& now) {
  // "2026-11-26T12:05:00Z"
  const std::string words =
      TimeUtil::ToString(TimeUtil::SecondsToTimestamp(moment.seconds()));
  std::string time = words.substr(11, 8);
  constexpr std::int64_t kDay = 86400;
  if (moment.seconds() / kDay == now.seconds() / kDay) return time;
  return words.substr(0, 10) + " " + time;
}

std::string LossWords(const v1::HealthStatus& health) {
  const bool asked = std::ranges::any_of(
      health.probes(), [](const auto& probe) { return probe.has_answered(); });
  return asked ? HumanShare(health.loss()) : "-";
}

double SettledRate(double rate) {
  return rate * 8 < 1 ? 0 : rate;
}

// Some of them say so when they are true.
bool IsBad(const v1::Condition& condition) {
  const bool inverted =
      condition.type() == "DriftDetected" || condition.type() == "Degraded" ||
      condition.type() == "Paused" || condition.type() == "ConfirmPending";
  return condition.status() == (inverted ? "True" : "False");
}

std::string HumanAge(double seconds) {
  constexpr std::array<std::pair<double, const char*>, 3> kUnits = {
      {{86400, "d"}, {3600, "h"}, {60, "m"}}};
  for (const auto& [length, unit] : kUnits) {
    if (seconds >= 2 * length) {
      return std::to_string(static_cast<long>(seconds / length)) + unit;
    }
  }
  return std::to_string(static_cast<long>(seconds)) + "s";
}

void PrintStatus(const v1::Status& status, const Timestamp& now,
                 const Screen& screen) {
  screen.out() << screen.Paint(Color::kBold, OrDash(status.name()))
               << Headline(status) << '\n';
  if (const std::string stale = StaleWords(status, now); !stale.empty()) {
    screen.out() << screen.Paint(Color::kYellow, stale) << '\n';
  }
  PrintConditions(status, now, screen);
  PrintUplinks(status, screen);
  PrintHealth(status, screen);
  if (!status.warnings().empty()) screen.out() << '\n';
  for (const std::string& warning : status.warnings()) {
    screen.out() << screen.Paint(Color::kYellow, "warning: ") << warning
                 << '\n';
  }
}

void PrintEvent(const v1::WatchResponse& response, const Screen& screen) {
  if (!response.has_event()) {
    screen.out() << "now: " << ShortStatus(response.status()) << std::endl;
    return;
  }
  const v1::Event& event = response.event();
  screen.out() << MomentWords(event.time()) << ' ' << event.trigger() << ' '
               << event.result();
  if (!event.message().empty()) screen.out() << ": " << event.message();
  for (const v1::PlanLine& line : event.plan()) {
    screen.out() << " | " << OneLine(line, screen);
  }
  // Whoever reads a stream wants each line when it happens.
  screen.out() << std::endl;
}

}  // namespace uplinkd
