// Tally: what passes did since the agent started, counted for the exporter.
//
// Pure. A view of Reports; the only place where the agent counts.
#ifndef UPLINKD_AGENT_TALLY_H_
#define UPLINKD_AGENT_TALLY_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/confirm.h"
#include "exporters/snapshot.h"
#include "reconciler/failover.h"
#include "reconciler/reconcile.h"
#include "reconciler/render.h"
#include "reconciler/schedule.h"

namespace uplinkd {

// One line of a plan and what became of its step.
struct Deed {
  PlanLine line;
  Outcome outcome;
  std::set<std::string> uplinks;  // of the step
};

// "create" for '+', "remove" for '-', "replace" for '~'.
std::string OperationName(char sign);

// The deeds of a pass, in order. A dry run has none.
std::vector<Deed> DeedsOf(const Report& report);

class Tally {
 public:
  // `repairs`: those of `deeds` that neither a new spec nor a change of facts
  // or loads accounts for.
  void Count(const Report& report, const std::vector<Deed>& deeds,
             const std::vector<Deed>& repairs, Trigger trigger);

  // An uplink stopped carrying connections.
  void CountFailover(const std::string& uplink) { ++failovers_[uplink]; }
  // `connections` were cut.
  void CountCut(const Cut& cut, std::uint64_t connections);

  // A spec was accepted and, after `latency`, seen in the kernel.
  void CountProgrammed(std::chrono::nanoseconds latency) {
    programming_latency_.Observe(latency);
  }
  // An earlier spec came back.
  void CountRollback(RollbackReason reason) { ++rollbacks_[reason]; }
  // Forgets every uplink but these.
  void Follow(const std::set<std::string>& uplinks);

  // Fills in the counters, those that may count something one day with 0: an
  // increase from nothing to 1 is none.
  void WriteTo(MetricsSnapshot& snapshot) const;

  std::uint64_t corrections() const { return corrections_; }

 private:
  std::map<std::pair<std::string, std::string>, std::uint64_t> passes_;
  std::map<PassPhase, DurationHistogram> durations_;
  std::map<std::pair<std::string, std::string>, std::uint64_t>
      corrections_by_object_;
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>
      operations_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> errors_;
  DurationHistogram programming_latency_;
  std::uint64_t corrections_ = 0;
  std::map<std::string, std::uint64_t> failovers_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> cut_;
  std::map<RollbackReason, std::uint64_t> rollbacks_;
};

// {object, cause} -> how many of these deeds were not done.
std::map<std::pair<std::string, std::string>, std::uint64_t> PendingOf(
    const std::vector<Deed>& deeds);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_TALLY_H_
