// Failover: whose connections are cut, why, and when. Pure; time comes in as
// an argument.
//
//   Spec, states of the uplinks after a pass, time  ->  cuts that are due
//
// One for each family: an uplink may lose IPv6 and keep IPv4.
//
// A connection is known by its mark alone, so what is decided for an uplink
// holds for every connection that it has, whichever policy gave it. Where the
// policies that could have given it differ, the safer word wins: all of them
// must agree to a cut, and a traffic rule or `local` that names the uplink
// itself agrees to none. The laws, each of which is a test:
//
// - The connections of an uplink that carries them are cut only when a higher
//   tier serves again and every policy says so, or by an operator's deadline.
// - Nothing is cut unless, in each policy that could have given the mark,
//   another uplink gets new connections now.
// - Nothing is cut that an uplink of the present spec has by its mark, unless
//   the cut is of that uplink.
//
// The connections of an uplink that left the spec have nothing to wait for, so
// policies have no say: they are cut once any uplink is ready.
//
// Whether a cut may happen is judged anew each time that it is due: one that
// has to wait (for another uplink, or after a failure) lapses once its reason
// is gone. The first pass has no "before": it cuts nothing.
#ifndef UPLINKD_RECONCILER_FAILOVER_H_
#define UPLINKD_RECONCILER_FAILOVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/mark.h"
#include "reconciler/spec.h"

namespace uplinkd {

// A label of the metrics.
enum class CutReason {
  kFailover,  // the uplink stopped carrying connections
  kDisabled,  // the same, because the spec says so
  kRemoved,   // the spec has no uplink with their mark any more
  kFailback,  // a higher tier serves again
  kDrain,     // the deadline of an operator's drain
};
std::string_view CutReasonName(CutReason reason);  // "failover"

// One uplink whose connections are to end.
struct Cut {
  std::string uplink;
  Mark mark;
  CutReason reason = CutReason::kFailover;
  // A second look for those that got their fate while the new ones came into
  // force.
  bool stragglers = false;

  friend auto operator<=>(const Cut&, const Cut&) = default;
};

class Failover {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic
  // Uplinks with an operator's deadline, and when it is.
  using Deadlines = std::map<std::string, Time>;

  // When stragglers are looked for, after the first cut.
  static constexpr std::chrono::seconds kStragglers{1};
  // How long until a cut that failed is tried again: doubling from one to the
  // other.
  static constexpr std::chrono::seconds kFirstRetry{1};
  static constexpr std::chrono::seconds kLastRetry{60};

  // `uplinks` and the fates that follow from them are in force since `now`.
  // Returns the uplinks that were lost: they carried connections until now,
  // and the spec did not ask them to stop.
  std::vector<std::string> PassEnded(const Spec& spec,
                                     const std::vector<UplinkState>& uplinks,
                                     Time now);

  // What is to be cut now, ordered by uplink. The same again until Done() or
  // Failed().
  std::vector<Cut> Due(const Deadlines& deadlines, Time now) const;

  void Done(const Cut& cut, Time now);
  void Failed(const Cut& cut, Time now);
  // A cut of this uplink failed and will be tried again.
  bool Retries(const std::string& uplink) const {
    return retries_.contains(uplink);
  }

  // The uplinks that are drained since a higher tier serves again, and when
  // the rest of their connections is cut.
  Deadlines FailbackDrains() const;

 private:
  // What policies say of the connections of an uplink.
  struct Opinion {
    bool replaceable = false;  // another member is ready
    bool cut_on_failover = false;
    bool displaced = false;  // a better member is ready, and none is kept
    Time drain{};            // time to end by themselves; 0: cut at once
  };
  // What the last pass made of an uplink.
  struct Standing {
    Mark mark;
    UplinkPhase phase = UplinkPhase::kWaiting;
    Opinion word;  // of all policies that have it as a member
  };
  // A policy's members, those that it prefers first.
  using Ranks = std::vector<std::vector<std::string>>;
  struct Choosing {
    Ranks ranks;
    std::optional<std::size_t> serving;  // the first rank with a ready uplink
  };
  // A cut that is to come, unless its reason goes.
  struct Owed {
    std::string uplink;
    CutReason reason = CutReason::kFailover;
    Time due{};
    bool stragglers = false;
  };
  struct Retry {
    Time wait{};
    Time at{};
  };
  using Standings = std::map<std::string, Standing>;        // by uplink
  using Choosings = std::map<std::string, Choosing>;        // by policy
  using UplinkPhases = std::map<std::string, UplinkPhase>;  // by name
  using OwedCuts = std::map<Mark, Owed>;

  static Ranks RanksOf(const Spec& spec, const Policy& policy);
  static Choosings ChoosingsOf(const Spec& spec, const UplinkPhases& phases);
  // Nothing if the uplink is no member.
  static std::optional<Opinion> OpinionOf(const Policy& policy,
                                          const Choosing& choosing,
                                          const std::string& uplink,
                                          const UplinkPhases& phases);
  static Opinion ConsensusOn(const std::string& uplink, const Spec& spec,
                             const Choosings& choosings,
                             const UplinkPhases& phases);
  static Standings StandingsOf(const Spec& spec,
                               const std::vector<UplinkState>& uplinks,
                               const Choosings& choosings);
  static bool MayCut(const Standing& standing, CutReason reason);
  // Null: no uplink of the spec has that mark.
  static const Standing* StandingOf(Mark mark, const Standings& standings);
  bool MayCut(Mark mark, const Owed& owed) const;
  bool Holds(Mark mark, const Owed& owed) const;
  bool MayTry(const std::string& uplink, Time now) const;
  std::vector<std::string> NoteLosses(const Standings& standings, Time now);
  void NoteRemovals(const Standings& standings, std::uint32_t mask, Time now);
  void NoteFailbacks(const Choosings& choosings, const Standings& standings,
                     Time now);

  Standings standings_;
  Choosings choosings_;
  OwedCuts owed_;
  std::map<std::string, Retry> retries_;  // by uplink
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_FAILOVER_H_
