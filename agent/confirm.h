// Confirm: a spec that somebody must confirm in time, or the one before
// returns.
//
//   offer, what waits, now  ->  taken, extended, or refused with the words
//
// The values and the judgement alone; SpecLedger keeps them on disk and acts.
// A deadline is kept by the time since the boot, which no setting of a clock
// moves, and by the time of day across a reboot. Pure; time is an argument.
#ifndef UPLINKD_AGENT_CONFIRM_H_
#define UPLINKD_AGENT_CONFIRM_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/moment.h"
#include "reconciler/health.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

// Long enough for a round trip, and for a night.
inline constexpr std::chrono::seconds kShortestConfirm{1};
inline constexpr std::chrono::hours kLongestConfirm{24};
inline constexpr std::size_t kLongestConfirmId = 64;

// What a client asks for along with a spec.
struct ConfirmTerms {
  std::string id;  // of its choice
  std::chrono::milliseconds within{};
  // The agent confirms by itself once all are answered. Empty: never.
  std::vector<Probe> checks = {};

  friend auto operator<=>(const ConfirmTerms&, const ConfirmTerms&) = default;
};

// Everything that is wrong with them, in one sentence; "" if nothing is.
std::string FaultOf(const ConfirmTerms& terms);

// The accepted spec waits; this is what it waits for, and what returns.
struct PendingConfirm {
  ConfirmTerms terms;
  Moment since;  // when the time of `terms` began
  std::uint64_t return_generation = 0;
  Spec return_spec;  // valid, ids assigned
  // The uplinks that were ready before it was accepted. It does not confirm
  // itself while it costs one of them.
  std::set<std::string> ready = {};

  friend bool operator==(const PendingConfirm&,
                         const PendingConfirm&) = default;
};

// How long it still may be confirmed; 0: no longer. After a reboot by the time
// of day, but never longer than it was given, and no longer at all if the time
// of day is before the moment when the time began: that clock is wrong.
std::chrono::nanoseconds TimeLeft(const PendingConfirm& pending,
                                  const Moment& now);

// When that will be, to the second, as the clock stands now.
std::chrono::system_clock::time_point DeadlineOf(const PendingConfirm& pending,
                                                 const Moment& now);

// The same wait, counted from `now`.
PendingConfirm CountedFrom(PendingConfirm pending, const Moment& now);

// "generation 8 waits to be confirmed as "night" for another 4m12s (`uplinkctl
// confirm night`), or else generation 7 returns (at once: `uplinkctl cancel
// night`)"
std::string WaitingWords(const PendingConfirm& pending,
                         std::uint64_t generation, const Moment& now);

// Who offers a spec while another one waits.
struct Contender {
  bool same_spec = false;  // the one that waits
  bool from_file = false;  // it is offered because it is there, not anew
  const std::optional<ConfirmTerms>& terms;
};
enum class Contest { kChangesNothing, kExtends };
// kFailedPrecondition, with `waiting`: it is neither the same spec with the
// same id, which extends the time, nor the same spec from a file.
Result<Contest> JudgeContender(const PendingConfirm& pending,
                               const Contender& contender,
                               const std::string& waiting);

// Whether `id` may confirm, extend or cancel. kFailedPrecondition: nothing
// waits, or no longer. kInvalidArgument: another id does.
Result<void> JudgeAnswer(const std::optional<PendingConfirm>& pending,
                         const std::string& id, const Moment& now);

// Why an earlier spec came back.
enum class RollbackReason { kTimeout, kCancelled, kRequested };
std::string_view RollbackReasonName(RollbackReason reason);  // "timeout"

// Whether both ask for the same; their names and revisions may differ, and so
// may ids that only one of them says.
bool SameContent(const Spec& ours, const Spec& other);

// "4m12s", "90ms"
std::string ShortDuration(std::chrono::nanoseconds duration);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CONFIRM_H_
