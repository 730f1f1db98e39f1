// Cutter: ends connections where Failover says so, and tells of it in the log.
//
// Tells Failover of the passes that put fates in force, asks it what is due,
// and has the host do it. A cut that fails is tried again later; it never fails
// anything else. For the thread that owns the host.
#ifndef UPLINKD_AGENT_CUTTER_H_
#define UPLINKD_AGENT_CUTTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/drain_ledger.h"
#include "agent/host.h"
#include "agent/log_limiter.h"
#include "agent/tally.h"
#include "reconciler/failover.h"
#include "reconciler/reconcile.h"
#include "reconciler/spec.h"

namespace uplinkd {

// What became of one cut.
struct CutOutcome {
  Cut cut;
  Family family = Family::kIpv4;
  Result<std::uint64_t> connections;  // how many there were

  // "cut 243 connections of wan2, which stopped carrying them"; those of IPv6
  // are called so
  std::string Words() const;
  // Whether there is anything to tell.
  bool Newsworthy() const { return !connections || *connections > 0; }
};

class Cutter {
 public:
  // A pass ended. One that could not put its fates in force tells nothing: new
  // connections may still get the old ones.
  void PassEnded(const Spec& spec, const Report& report,
                 std::chrono::nanoseconds now, Tally& tally);

  // Cuts what is due. A drain whose deadline is over is noted as such.
  std::vector<CutOutcome> Work(Host& host, DrainLedger& drains,
                               const Instant& now, Tally& tally);

  // What an operator should know: cuts that fail, and those that are to come.
  std::vector<std::string> Warnings(const Instant& now) const;

  // There is no spec any more.
  void Forget();

 private:
  // The cut, with what it means for the next one. Its drain is not over yet.
  CutOutcome Carry(const Cut& cut, Family family, Host& host,
                   std::chrono::nanoseconds now, Tally& tally);

  std::map<Family, Failover> failovers_;  // one for each family of the spec
  std::map<UplinkPart, std::string> failures_;  // words
  LogLimiter limiter_{"cuts of connections"};
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CUTTER_H_
