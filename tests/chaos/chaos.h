// Chaos: a router that everything happens to, and what has to be true of it.
//
// One thread does everything in the order that the seed says. What a round did
// is kept in Effects, by which the checks (checks.h) know what may be lost in
// it. Whether something was done in time never decides what comes next, so
// that a seed always means the same actions.
#ifndef UPLINKD_TESTS_CHAOS_CHAOS_H_
#define UPLINKD_TESTS_CHAOS_CHAOS_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/chaos/router_processes.h"
#include "tests/chaos/spec.h"
#include "tests/chaos/talks.h"
#include "tests/chaos/world.h"

namespace uplinkd::chaos {

// What a round did.
struct Effects {
  Lines touched;               // link, address or line
  bool damaged = false;        // somebody changed something of ours
  bool began_anew = false;     // the agent ended or was killed
  bool slowed = false;         // the agent had no time for its probes
  bool lost_forwards = false;  // see World::AddForwards()
  // How it was in the beginning.
  bool served = false;  // new connections had an uplink
  std::uint64_t wrong_sources = 0;
  // In force at some time, first the one that was before.
  std::vector<ChaosSpec> specs;
};

// Something foreign that was added, and how it goes again.
struct ForeignItem {
  std::string name;
  std::string remove;  // a script; fine if it is gone already
};

class Chaos {
 public:
  // A world, an agent with a first spec, and connections. Fails with the words
  // of what went wrong.
  static Result<std::unique_ptr<Chaos>> Create(std::uint64_t seed);

  Random& random() { return random_; }
  World& world() { return *world_; }
  RouterProcesses& processes() { return *processes_; }
  Talks& talks() { return *talks_; }
  Callers& callers() { return *callers_; }
  Effects& effects() { return effects_; }

  // ---- what the agent has to follow ----

  const ChaosSpec& spec() const { return spec_; }
  ChaosSpec NewSpec();
  // It is in force from now on; or only for a while.
  void Follow(const ChaosSpec& spec);
  void FollowForAWhile(const ChaosSpec& spec);
  // Specs that were in force before, the last one first.
  const std::deque<ChaosSpec>& earlier() const { return earlier_; }
  // Uplinks that an operator drains; true: with a deadline.
  std::map<std::size_t, bool>& drains() { return drains_; }
  const std::map<std::size_t, bool>& drains() const { return drains_; }

  // Uplinks that carry connections; those of them that take new ones; those
  // that nobody but a probe could find dead, and no probe looks.
  Lines Carrying() const { return CarryingUnder(spec_); }
  Lines CarryingUnder(const ChaosSpec& spec) const;
  Lines Ready() const { return ReadyUnder(spec_); }
  Lines ReadyUnder(const ChaosSpec& spec) const;
  Lines SilentlyDead() const;

  std::deque<ForeignItem>& foreign() { return foreign_; }
  std::uint64_t NextNumber() { return ++numbers_; }  // another one each time

  // ---- telling ----

  // What is being done, for whoever repeats the round.
  void Say(const std::string& action);
  // Something that must not be. What went wrong with a script of ours counts.
  void Violate(const std::string& words);

  // Actions are printed as they happen.
  void SetVerbose(bool verbose) { verbose_ = verbose; }

  void BeginRound();
  int round() const { return round_; }  // 0: before the first disturbance
  const std::deque<std::string>& actions() const { return actions_; }
  std::vector<std::string> TakeViolations();

 private:
  explicit Chaos(std::uint64_t seed) : random_(seed) {}

  Random random_;
  std::unique_ptr<World> world_;
  std::unique_ptr<RouterProcesses> processes_;
  std::unique_ptr<lab::TrafficServer> server_;
  std::unique_ptr<lab::TrafficServer> client_service_;
  std::unique_ptr<Talks> talks_;
  std::unique_ptr<Callers> callers_;
  Effects effects_;
  ChaosSpec spec_;
  int specs_made_ = 0;
  std::deque<ChaosSpec> earlier_;
  std::map<std::size_t, bool> drains_;
  std::deque<ForeignItem> foreign_;
  std::uint64_t numbers_ = 0;
  int round_ = -1;
  std::deque<std::string> actions_;  // the last ones
  std::vector<std::string> violations_;
  bool verbose_ = false;
};

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_CHAOS_H_
