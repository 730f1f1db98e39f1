#include "tests/chaos/checks.h"

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>

#include "tests/lab/foreign.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// From the end of all disturbances until all is as it should be. Probes take
// 1.5 s, a failed pass may back off for some seconds.
constexpr seconds kRest{25};
constexpr seconds kPatience{10};
// Of an agent without sanitizers 40 MB are usual; those with keep what was
// freed for a while.
constexpr std::uint64_t kMostMemory = 1024UL * 1024;  // KiB
constexpr std::size_t kMostDescriptors = 128;

bool Eventually(const std::function<bool()>& holds, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (!holds()) {
    if (steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return true;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The lines that only one of them has, with signs.
std::string Difference(const std::string& is, const std::string& should) {
  std::vector<std::string> left = LinesOf(is);
  std::vector<std::string> right = LinesOf(should);
  std::string text;
  for (const std::string& line : left) {
    if (std::ranges::find(right, line) == right.end())
      text += "+ " + line + "\n";
  }
  for (const std::string& line : right) {
    if (std::ranges::find(left, line) == left.end()) text += "- " + line + "\n";
  }
  return text.empty() ? "the same lines in another order:\n" + is : text;
}

// Traffic moves the counters of all rules but those of the link to the VPN.
std::string WithSteadyCounters(const std::string& text) {
  std::string steady;
  for (std::string line : LinesOf(text)) {
    const std::size_t end = line.find("] ");
    const bool moves = line.find(" vpn0 ") == std::string::npos;
    if (line.starts_with('[') && moves && end != std::string::npos) {
      line.erase(0, end + 2);
    }
    steady += line + "\n";
  }
  return steady;
}

std::string Foreign(const lab::Namespace& where) {
  return WithSteadyCounters(lab::ForeignState(where, lab::Counters::kCompare));
}

// Without what follows from measurements.
std::string Ours(const Chaos& chaos, const lab::Namespace& where) {
  return chaos.spec().FollowsMeasurements() ? lab::OwnStateWithoutChoice(where)
                                            : lab::OwnState(where);
}

// The phase that an uplink has to be in; "": any but the three in which it
// carries connections, or was refused.
std::string PhaseOf(const Chaos& chaos, const ChaosUplink& uplink) {
  if (uplink.state == "disabled") return "Disabled";
  if (!chaos.Carrying().contains(uplink.line) &&
      !chaos.SilentlyDead().contains(uplink.line)) {
    return "";
  }
  const bool drains =
      uplink.state == "draining" || chaos.drains().contains(uplink.line);
  return drains ? "Draining" : "Ready";
}

bool IsAtRest(const Chaos& chaos, const v1::Status& status) {
  if (status.revision() != chaos.spec().revision() || !lab::InSync(status) ||
      status.has_pending_confirm()) {
    return false;
  }
  return std::ranges::all_of(
      chaos.spec().uplinks(), [&](const ChaosUplink& uplink) {
        const std::string should = PhaseOf(chaos, uplink);
        const std::string is =
            lab::PhaseOf(status, lab::UplinkInterface(uplink.line));
        if (!should.empty()) return is == should;
        return is != "Ready" && is != "Draining" && is != "Blocked";
      });
}

double Operations(const std::string& metrics) {
  return RouterProcesses::Sum(metrics, "uplinkd_kernel_operations_total");
}

double Passes(const std::string& metrics) {
  return RouterProcesses::Sum(metrics, "uplinkd_passes_total");
}

}  // namespace

bool CheckRest(Chaos& chaos) {
  chaos.processes().Release();
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr) return false;
  // The status is that of the last pass, which may know nothing of the last
  // disturbance yet. So the plan has to be empty as well.
  std::string words;
  const bool rests = Eventually(
      [&] {
        const Result<v1::Status> status = agent->Status();
        words = status ? status->ShortDebugString() : status.error().message;
        if (!status || !IsAtRest(chaos, *status)) return false;
        const Result<v1::DiffResponse> diff = agent->Diff();
        words = diff ? diff->ShortDebugString() : diff.error().message;
        return diff && diff->plan_size() == 0;
      },
      kRest);
  if (!rests) chaos.Violate("the agent does not come to rest: " + words);
  return rests;
}

void CheckForeign(Chaos& chaos, Counts& counts) {
  const World& world = chaos.world();
  std::string is;
  std::string should;
  // The kernel tells routes of a carrier that was lost a moment later.
  const bool same = Eventually(
      [&] {
        is = Foreign(world.router());
        should = Foreign(world.twin());
        return is == should;
      },
      kPatience);
  if (same) return;
  ++counts.foreign_differences;
  chaos.Violate("foreign state is not as it was left:\n" +
                Difference(is, should));
}

void CheckOurs(Chaos& chaos) {
  lab::RouterAgent* const mirror = chaos.processes().MirrorAgent();
  if (mirror == nullptr) return;
  const Result<v1::CleanupResponse> cleaned = mirror->Cleanup();
  if (!cleaned) {
    return chaos.Violate("mirror: cleanup: " + cleaned.error().message);
  }
  const Result<v1::ApplyResponse> applied = mirror->Apply(chaos.spec().Text());
  if (!applied) {
    return chaos.Violate("mirror: apply: " + applied.error().message);
  }
  for (const auto& [line, deadline] : chaos.drains()) {
    mirror->Ctl({"drain", lab::UplinkInterface(line)});
  }
  std::string is;
  std::string should;
  const bool same = Eventually(
      [&] {
        is = Ours(chaos, chaos.world().router());
        should = Ours(chaos, chaos.world().mirror());
        return is == should;
      },
      kPatience);
  if (!same) {
    chaos.Violate("ours is not what the spec makes of an empty router:\n" +
                  Difference(is, should));
  }
}

void CheckIdle(Chaos& chaos) {
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr || chaos.spec().FollowsMeasurements()) return;
  const std::string before = agent->Metrics();
  const std::string ours = lab::OwnState(chaos.world().router());
  std::string after = before;
  for (int i = 0; i < 2; ++i) {
    const double passes = Passes(after);
    // An event about nothing of ours, for which a whole pass is made.
    chaos.world().OnRouter(
        "ip rule add priority 31000 from 10.94.0.1 lookup 500\n"
        "ip rule del priority 31000\n");
    if (!Eventually(
            [&] {
              after = agent->Metrics();
              return Passes(after) > passes;
            },
            kPatience)) {
      return chaos.Violate("no pass follows from an event");
    }
  }
  if (Operations(before) != Operations(after)) {
    chaos.Violate("passes that find nothing to do write to the kernel");
  }
  const std::string ours_after = lab::OwnState(chaos.world().router());
  if (ours != ours_after) {
    chaos.Violate("ours changes by itself:\n" + Difference(ours_after, ours));
  }
}

void CheckAgent(Chaos& chaos) {
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr) return;
  chaos.processes().NoteTotals(agent->Metrics());
  const AgentTotals& totals = chaos.processes().totals();
  if (totals.most_memory > kMostMemory) {
    chaos.Violate("the agent uses " + std::to_string(totals.most_memory) +
                  " KiB");
  }
  if (totals.most_descriptors > kMostDescriptors) {
    chaos.Violate("the agent has " + std::to_string(totals.most_descriptors) +
                  " open files");
  }
  for (const std::string& line : LinesOf(chaos.processes().NewLog())) {
    // Its own level; the reports of sanitizers have no time in front.
    if (line.find("Z error ") != std::string::npos ||
        line.find("Z critical ") != std::string::npos ||
        line.find("Sanitizer") != std::string::npos ||
        line.find("runtime error") != std::string::npos) {
      chaos.Violate("the agent's log: " + line);
    }
  }
}

}  // namespace uplinkd::chaos
