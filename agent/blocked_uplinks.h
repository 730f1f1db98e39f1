// BlockedUplinks: the uplinks that the kernel refused, and when to try again.
//
// Pure; time comes in as an argument. A refused uplink is left out of the next
// passes, so that the others get on. It is tried again after a while, which
// doubles from 100 ms to a minute, and at once when its facts change.
#ifndef UPLINKD_AGENT_BLOCKED_UPLINKS_H_
#define UPLINKD_AGENT_BLOCKED_UPLINKS_H_

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "reconciler/ip.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

// Why an uplink cannot be set up.
struct Refusal {
  std::string reason;  // "KernelRejected" or "ForeignConflict"
  std::string words;   // the kernel's, or what is in the way

  friend bool operator==(const Refusal&, const Refusal&) = default;
};
using Refusals = std::map<std::string, Refusal>;  // by uplink

// The uplinks that could not be set up in a pass.
Refusals RefusalsOf(const Report& report);

class BlockedUplinks {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  // The uplinks to leave out of a pass at `now`, each with its words, as
  // PassOptions wants them.
  std::map<std::string, std::string> LeftOut(Time now) const;

  // A pass ended that left out `left_out`. True: another one is due at once,
  // because an uplink was refused just now, or deserves a new try.
  bool PassEnded(Time now, const std::map<std::string, std::string>& left_out,
                 const Report& report);

  // When the next try is due.
  std::optional<Time> NextTry() const;

  // All that are refused, also while they are tried again.
  Refusals all() const;

  // A new spec: everything deserves a new try.
  void Clear() { entries_.clear(); }

 private:
  // What the kernel's answer depends on.
  using UplinkFacts =
      std::tuple<std::optional<Address>, std::optional<Address>, int>;
  struct Entry {
    Refusal refusal;
    UplinkFacts facts;
    Time delay{};
    Time retry_at{};
  };
  static std::map<std::string, UplinkFacts> FactsOf(const Report& report);

  std::map<std::string, Entry> entries_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_BLOCKED_UPLINKS_H_
