// What clients can ask of the agent: specs applied and plans made in a second,
// with 1,000 traffic rules, and what a thousand who watch cost.
//
// All stays within what one caller may ask in a row (agent/gate.h).
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "reconciler/linux/linux_kernel.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

constexpr std::size_t kUplinks = 8;
constexpr int kApplies = 40;
constexpr int kDiffs = 100;
constexpr int kStatuses = 200;
constexpr int kWatchers = 1000;
constexpr int kWatchersOfAConnection = 100;

// The median of `count` calls in milliseconds; nothing if one failed.
std::optional<double> Time(int count, const std::function<bool(int)>& call) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const Nanoseconds began = Now();
    if (!call(i)) return std::nullopt;
    times.push_back(Milliseconds(Now() - began));
  }
  return Median(times);
}

std::string PerSecond(double milliseconds) {
  return Number(1000 / milliseconds, 0, " / s");
}

// With both specs in turns, each until the kernel was seen to hold it.
bool MeasureApplies(lab::RouterAgent& agent, const lab::LabSpec& one,
                    const lab::LabSpec& other, const std::string& what) {
  const std::optional<double> time = Time(kApplies, [&](int i) {
    const auto applied = agent.Apply(i % 2 == 0 ? other.Text() : one.Text());
    return applied || Complain(applied.error().message);
  });
  if (!time) return false;
  PrintRow({.what = "apply until in sync, " + what,
            .ours = Number(*time, 1, " ms"),
            .floor = "",
            .figure = PerSecond(*time),
            .target = "",
            .met = true});
  return true;
}

// Beside the same pass in this process: what the service adds.
bool MeasureDiffs(lab::RouterAgent& agent, const lab::LabSpec& spec,
                  const lab::Lab& lab) {
  const std::optional<double> ours = Time(kDiffs, [&](int) {
    const auto diff = agent.Diff();
    return diff ? diff->plan().empty() || Complain("out of sync")
                : Complain(diff.error().message);
  });
  if (!ours) return false;
  const Spec typed = SpecOf(spec);
  const Inside inside(lab.router());
  Result<std::unique_ptr<Kernel>> kernel = OpenLinuxKernel({});
  if (!kernel) return Complain(kernel.error().message);
  const std::optional<double> floor = Time(kDiffs, [&](int) {
    return !ReconcileOnce(typed, {.dry_run = true, .sweep = true}, **kernel,
                          Now)
                .error;
  });
  if (!floor) return Complain("no dry run");
  PrintRow(
      {.what = "diff, 1,000 rules (floor: the pass alone), " + PerSecond(*ours),
       .ours = Number(*ours, 1, " ms"),
       .floor = Number(*floor, 1, " ms"),
       .figure = Number(*ours / *floor, 2, "x"),
       .target = "",
       .met = true});
  return true;
}

class Watchers {
 public:
  explicit Watchers(const lab::RouterAgent& agent) : agent_(agent) {}
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;
  ~Watchers() {
    for (const auto& context : contexts_) context->TryCancel();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      v1::WatchResponse rest;
      while (streams_[i]->Read(&rest)) {
      }
      (void)streams_[i]->Finish();
    }
  }

  // Each has the present status.
  bool Begin(int count) {
    for (int i = 0; i < count; ++i) {
      if (i % kWatchersOfAConnection == 0) {
        stubs_.push_back(agent_.NewStub());
      }
      contexts_.push_back(std::make_unique<grpc::ClientContext>());
      streams_.push_back(
          stubs_.back()->Watch(contexts_.back().get(), v1::WatchRequest()));
      v1::WatchResponse first;
      if (!streams_.back()->Read(&first)) return Complain("a watcher is lost");
    }
    return true;
  }

 private:
  const lab::RouterAgent& agent_;
  std::vector<std::unique_ptr<v1::Agent::Stub>> stubs_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchResponse>>> streams_;
};

bool MeasureWatchers(lab::RouterAgent& agent) {
  const auto ask = [&agent](int) { return agent.Status().has_value(); };
  const std::optional<double> alone = Time(kStatuses, ask);
  const double memory = ResidentMegabytes(agent.process().pid());
  Watchers watchers(agent);
  if (!watchers.Begin(kWatchers)) return false;
  const std::optional<double> beside = Time(kStatuses, ask);
  if (!alone || !beside) return Complain("no status");
  const double grown = ResidentMegabytes(agent.process().pid()) - memory;
  PrintRow({.what = "memory of the agent for 1,000 watchers",
            .ours = Number(grown, 1, " MB"),
            .floor = "",
            .figure = Number(1024 * grown / kWatchers, 0, " KiB each"),
            .target = "",
            .met = true});
  PrintRow({.what = "a status beside 1,000 watchers (floor: alone)",
            .ours = Number(*beside, 2, " ms"),
            .floor = Number(*alone, 2, " ms"),
            .figure = Number(*beside / *alone, 2, "x"),
            .target = "at most 2x",
            .met = *beside <= 2 * *alone});
  return true;
}

}  // namespace

bool MeasureRequests() {
  const std::unique_ptr<lab::Lab> lab =
      MakeLab({.lines = std::vector<lab::Line>(kUplinks)});
  if (!lab) return false;
  Result<std::unique_ptr<lab::RouterAgent>> agent =
      lab::RouterAgent::Start(*lab, {.log_level = "info"});
  if (!agent) return Complain(agent.error().message);
  const lab::LabSpec small{.uplinks = 2};
  lab::LabSpec other_small = small;
  other_small.capacities = {40, 20};
  const lab::LabSpec large = LargeSpec(kUplinks);
  lab::LabSpec other_large = large;
  other_large.capacities = {40, 20};
  if (!(*agent)->Apply(small.Text())) return Complain("no spec");
  if (!MeasureApplies(**agent, small, other_small, "2 uplinks")) return false;
  // As many changes as one caller may make in a row are due again.
  std::this_thread::sleep_for(std::chrono::seconds(5));
  if (!(*agent)->Apply(large.Text())) return Complain("no large spec");
  return MeasureApplies(**agent, large, other_large,
                        "8 uplinks, 1,000 rules") &&
         MeasureDiffs(**agent, large, *lab) && MeasureWatchers(**agent);
}

}  // namespace uplinkd::bench
