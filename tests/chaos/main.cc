// uplinkd_chaos: a router in chaos for a while, and what has to be true of it
// all the same. tests/chaos.sh builds and runs this; docs/development.md says
// what it does.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/chaos/checks.h"
#include "tests/chaos/disturbance.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kSkipped = 77;  // for ctest

struct Options {
  std::chrono::seconds seconds{60};
  std::uint64_t seed = 1;
  int rounds = 0;  // 0: as many as there is time for
  bool verbose = false;
};

class Run {
 public:
  Run(const Options& options, Chaos& chaos)
      : options_(options),
        chaos_(chaos),
        all_(AllDisturbances()),
        harmless_(HarmlessDisturbances()) {}

  // False at the first round in which something is wrong.
  bool Rounds() {
    const auto end = steady_clock::now() + options_.seconds;
    chaos_.BeginRound();
    bool good = Check();
    while (good && steady_clock::now() < end &&
           (options_.rounds == 0 || chaos_.round() < options_.rounds)) {
      chaos_.BeginRound();
      Disturb();
      good = Check();
    }
    return good;
  }

  void Report() const {
    const AgentTotals& totals = chaos_.processes().totals();
    std::printf("\n%d rounds, seed %llu\n", chaos_.round(),
                static_cast<unsigned long long>(options_.seed));
    for (const auto& [kind, count] : caused_) {
      std::printf("  %4d  %s\n", count, kind.c_str());
    }
    std::printf(
        "lasting connections asked %llu, ended by what happened %llu, cut as "
        "asked for %llu, lost needlessly %llu, hung %llu\n"
        "short connections %llu, failed where they may %llu; %llu rounds in "
        "which none may\n"
        "foreign state changed %llu times\n"
        "agents started %d, repairs %.0f, overruns %.0f, at most %llu KiB and "
        "%zu open files\n"
        "violations %zu\n",
        Number(counts_.talks), Number(counts_.lost),
        Number(counts_.cut_as_asked), Number(counts_.lost_needlessly),
        Number(counts_.hung), Number(counts_.calls),
        Number(counts_.failed_calls), Number(counts_.quiet_rounds),
        Number(counts_.foreign_differences), totals.starts, totals.corrections,
        totals.overruns, Number(totals.most_memory), totals.most_descriptors,
        violations_.size());
  }

  // What went wrong, and how to have it again.
  void Explain() const {
    for (const std::string& violation : violations_) {
      std::printf("\nVIOLATION in round %d: %s\n", chaos_.round(),
                  violation.c_str());
    }
    std::printf("\nthe last actions:\n");
    for (const std::string& action : chaos_.actions()) {
      std::printf("  %s\n", action.c_str());
    }
    std::printf("\nthe spec:\n%s\nthe end of the agent's log:\n%s\n",
                chaos_.spec().Text().c_str(),
                chaos_.processes().LastLog(6000).c_str());
    std::printf("again: tests/chaos.sh --seed %llu --rounds %d\n",
                static_cast<unsigned long long>(options_.seed), chaos_.round());
  }

 private:
  static unsigned long long Number(std::uint64_t number) { return number; }

  void Disturb() {
    Random& random = chaos_.random();
    // In every third round nothing is a reason to lose a connection.
    const Disturbances& some = random.Chance(33) ? harmless_ : all_;
    for (auto left = random.Between(1, 4); left > 0; --left) {
      const Disturbance& one = Pick(random, some);
      ++caused_[one.kind];
      const auto pause = milliseconds(random.Below(60));
      one.cause(chaos_);
      std::this_thread::sleep_for(pause);
    }
  }

  bool Check() {
    const auto start = steady_clock::now();
    if (CheckRest(chaos_)) {
      CheckForeign(chaos_, counts_);
      CheckOurs(chaos_);
      CheckTraffic(chaos_, counts_);
      CheckIdle(chaos_);
      CheckAgent(chaos_);
      OpenTalks(chaos_);
    }
    violations_ = chaos_.TakeViolations();
    if (options_.verbose) {
      std::printf(
          "round %d checked in %lld ms\n", chaos_.round(),
          static_cast<long long>(std::chrono::duration_cast<milliseconds>(
                                     steady_clock::now() - start)
                                     .count()));
      std::fflush(stdout);
    }
    return violations_.empty();
  }

  const Options& options_;
  Chaos& chaos_;
  Disturbances all_;
  Disturbances harmless_;
  std::map<std::string, int> caused_;
  Counts counts_;
  std::vector<std::string> violations_;
};

int Main(const Options& options) {
  if (geteuid() != 0) {
    std::fprintf(stderr, "chaos: needs root, for network namespaces\n");
    return kSkipped;
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  Result<std::unique_ptr<Chaos>> chaos = Chaos::Create(options.seed);
  if (!chaos) {
    std::fprintf(stderr, "chaos: %s\n", chaos.error().message.c_str());
    return 1;
  }
  (*chaos)->SetVerbose(options.verbose);
  Run run(options, **chaos);
  const bool good = run.Rounds();
  run.Report();
  if (!good) run.Explain();
  return good ? 0 : 1;
}

}  // namespace
}  // namespace uplinkd::chaos

int main(int argc, char** argv) {
  CLI::App program("A router in chaos, and what has to be true all the same");
  uplinkd::chaos::Options options;
  int seconds = 60;
  program.add_option("--seconds", seconds, "No round begins after this time");
  program.add_option("--seed", options.seed, "What happens follows from it");
  program.add_option("--rounds", options.rounds, "No more than these");
  program.add_flag("--verbose", options.verbose, "Print actions at once");
  CLI11_PARSE(program, argc, argv);
  options.seconds = std::chrono::seconds(seconds);
  return uplinkd::chaos::Main(options);
}
