// A simulation of least-connections: lines that share their speed between the
// downloads on them, random arrivals, a look every 250 ms, and shares that
// change only when it matters. It is where the figures in load.h are from.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <ostream>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "reconciler/load.h"

namespace uplinkd {
namespace {

constexpr double kLookEvery = 0.25;   // seconds, all of these
constexpr double kArrivalWindow = 2;  // of their rate
constexpr double kFaultAt = 5;
constexpr double kDuration = 60;

struct Scenario {
  std::string name;
  std::vector<double> speeds;  // of the lines, in Mbit/s; their weights too
  std::vector<double> speeds_after;  // the fault
  double arrivals = 30;              // per second
  double size = 0.4;                 // of a download on average, in Mbit
};

void PrintTo(const Scenario& scenario, std::ostream* out) {
  *out << scenario.name;
}

struct Figures {
  double mean = 0;    // seconds that a download takes
  double writes = 0;  // per second
};

// A line that serves all of its downloads at once, each at the same speed. A
// download is over once every one of them could have had as much as it wants.
class Line {
 public:
  explicit Line(double speed) : speed_(speed) {}

  void Pass(double until) {
    if (!downloads_.empty()) {
      served_ += speed_ * (until - now_) / static_cast<double>(connections());
    }
    now_ = until;
  }
  void SetSpeed(double speed) { speed_ = speed; }
  void Begin(double size) { downloads_.push({served_ + size, now_}); }
  double NextEnd() const {
    if (downloads_.empty()) return std::numeric_limits<double>::infinity();
    return now_ + (downloads_.top().first - served_) *
                      static_cast<double>(connections()) / speed_;
  }
  // Returns how long it took.
  double End() {
    const double began = downloads_.top().second;
    downloads_.pop();
    return now_ - began;
  }
  std::size_t connections() const { return downloads_.size(); }

 private:
  using Download = std::pair<double, double>;  // ends at `served_`, began at
  double speed_;
  double now_ = 0;
  double served_ = 0;
  std::priority_queue<Download, std::vector<Download>, std::greater<>>
      downloads_;
};

// Whether shares are to be written anew.
using Decide = std::function<bool(const CountedChoice&, const Loads&)>;

class Simulation {
 public:
  Simulation(const Scenario& scenario, Decide decide, std::uint32_t seed)
      : scenario_(scenario), decide_(std::move(decide)), random_(seed) {
    for (std::size_t i = 0; i < scenario.speeds.size(); ++i) {
      lines_.emplace_back(scenario.speeds[i]);
      const auto weight = static_cast<std::uint64_t>(scenario.speeds[i]);
      choice_.push_back({"wan" + std::to_string(i), weight, weight});
    }
  }

  Figures Run() {
    double arrival = Pause();
    double look = kLookEvery;
    double fault = kFaultAt;
    constexpr double kNever = std::numeric_limits<double>::infinity();
    while (arrival < kNever || Busy()) {
      const auto line = std::ranges::min_element(lines_, {}, &Line::NextEnd);
      const double now = std::min({arrival, look, fault, line->NextEnd()});
      for (Line& each : lines_) each.Pass(now);
      if (now == fault) {
        fault = kNever;
        BreakDown();
      } else if (now == arrival) {
        Arrive();
        arrival = now + Pause();
        if (arrival > kDuration) arrival = kNever;
      } else if (now == look) {
        look += kLookEvery;
        Look();
      } else {
        seconds_ += line->End();
        ++downloads_;
      }
    }
    return {seconds_ / downloads_, writes_ / kDuration};
  }

 private:
  bool Busy() const {
    return std::ranges::any_of(
        lines_, [](const Line& line) { return line.connections() > 0; });
  }

  double Exponential(double mean) {
    return std::exponential_distribution<double>(1 / mean)(random_);
  }
  double Pause() { return Exponential(1 / scenario_.arrivals); }

  void BreakDown() {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      lines_[i].SetSpeed(scenario_.speeds_after[i]);
    }
  }

  void Arrive() {
    std::vector<double> shares;
    for (const CountedMember& member : choice_) {
      shares.push_back(static_cast<double>(member.share));
    }
    const std::size_t chosen = std::discrete_distribution<std::size_t>(
        shares.begin(), shares.end())(random_);
    lines_[chosen].Begin(Exponential(scenario_.size));
    ++arrived_;
  }

  void Look() {
    rate_ += (1 - std::exp(-kLookEvery / kArrivalWindow)) *
             (arrived_ / kLookEvery - rate_);
    arrived_ = 0;
    Loads loads;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      loads[choice_[i].uplink].connections = lines_[i].connections();
    }
    loads[choice_[0].uplink].arrivals = rate_ * kLookEvery;
    if (!decide_(choice_, loads)) return;
    choice_ = WithShares(choice_, loads);
    ++writes_;
  }

  const Scenario& scenario_;
  Decide decide_;
  std::mt19937 random_;
  std::vector<Line> lines_;
  CountedChoice choice_;
  double rate_ = 0;
  double arrived_ = 0;  // since the last look
  double seconds_ = 0;
  double downloads_ = 0;
  double writes_ = 0;
};

Figures Average(const Scenario& scenario, const Decide& decide) {
  constexpr std::uint32_t kSeeds = 5;
  Figures sum;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    const Figures run = Simulation(scenario, decide, seed).Run();
    sum.mean += run.mean / kSeeds;
    sum.writes += run.writes / kSeeds;
  }
  return sum;
}

bool Never(const CountedChoice&, const Loads&) {
  return false;
}
bool WhenDifferent(const CountedChoice& choice, const Loads& loads) {
  return WithShares(choice, loads) != choice;
}

class LeastConnectionsSimulation : public ::testing::TestWithParam<Scenario> {
 protected:
  static Figures Show(const char* name, const Figures& figures) {
    std::printf("  %-18s %6.3f s, %4.2f writes/s\n", name, figures.mean,
                figures.writes);
    return figures;
  }
};

TEST_P(LeastConnectionsSimulation, AvoidsALineThatTurnsBad) {
  const Figures random = Show("weights alone", Average(GetParam(), Never));
  const Figures least = Show("least-connections", Average(GetParam(), Matters));
  const Figures eager =
      Show("at every look", Average(GetParam(), WhenDifferent));
  EXPECT_LT(least.mean, random.mean / 2);
  EXPECT_LT(least.mean, eager.mean * 1.4);
  EXPECT_LT(least.writes, eager.writes * 0.8);
}

TEST_P(LeastConnectionsSimulation, DoesNoHarmWhileAllIsWell) {
  Scenario well = GetParam();
  well.speeds_after = well.speeds;
  const Figures random = Show("weights alone", Average(well, Never));
  const Figures least = Show("least-connections", Average(well, Matters));
  const Figures eager = Show("at every look", Average(well, WhenDifferent));
  EXPECT_LT(least.mean, random.mean * 1.05);
  EXPECT_LT(least.writes, eager.writes * 0.7);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, LeastConnectionsSimulation,
    ::testing::Values(
        Scenario{"TwoLines", {40, 10}, {8, 10}, 30, 0.4},
        Scenario{"FewLargeDownloads", {40, 10}, {8, 10}, 3, 4},
        Scenario{"ASmallLine", {100, 5}, {100, 1}, 60, 0.4},
        Scenario{"FourLines", {40, 10, 20, 20}, {8, 10, 20, 20}, 60, 0.4}),
    [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace uplinkd
