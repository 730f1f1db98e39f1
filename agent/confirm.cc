#include "agent/confirm.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

namespace uplinkd {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr nanoseconds kNone{};

bool IsIdCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' ||
         c == '_' || c == '.' || c == ':';
}

std::string Quoted(const std::string& text) {
  return "\"" + text + "\"";
}

}  // namespace

std::string FaultOf(const ConfirmTerms& terms) {
  if (terms.id.empty() || terms.id.size() > kLongestConfirmId ||
      !std::ranges::all_of(terms.id, IsIdCharacter) || terms.id[0] == '-') {
    return "the id to confirm by is 1 to " + std::to_string(kLongestConfirmId) +
           " letters, digits, '-', '_', '.' or ':', and does not begin with "
           "'-'; not " +
           Quoted(terms.id);
  }
  if (terms.within < kShortestConfirm || terms.within > kLongestConfirm) {
    return "a spec can wait to be confirmed for 1s to 24h, not for " +
           ShortDuration(terms.within);
  }
  if (terms.checks.size() > kMaxProbes) {
    return std::to_string(terms.checks.size()) +
           " checks are too many; at most " + std::to_string(kMaxProbes);
  }
  return "";
}

nanoseconds TimeLeft(const PendingConfirm& pending, const Moment& now) {
  const nanoseconds within = pending.terms.within;
  const bool same_boot = !now.boot.empty() && now.boot == pending.since.boot;
  const nanoseconds gone = same_boot ? now.uptime - pending.since.uptime
                                     : now.wall - pending.since.wall;
  if (gone < kNone) return kNone;
  return std::max(within - gone, kNone);
}

std::chrono::system_clock::time_point DeadlineOf(const PendingConfirm& pending,
                                                 const Moment& now) {
  return std::chrono::round<seconds>(
      now.wall + duration_cast<std::chrono::system_clock::duration>(
                     TimeLeft(pending, now)));
}

PendingConfirm CountedFrom(PendingConfirm pending, const Moment& now) {
  pending.terms.within =
      std::chrono::ceil<milliseconds>(TimeLeft(pending, now));
  pending.since = now;
  return pending;
}

std::string WaitingWords(const PendingConfirm& pending,
                         std::uint64_t generation, const Moment& now) {
  const std::string& id = pending.terms.id;
  return "generation " + std::to_string(generation) +
         " waits to be confirmed as " + Quoted(id) + " for another " +
         ShortDuration(TimeLeft(pending, now)) + " (`uplinkctl confirm " + id +
         "`), or else the spec of generation " +
         std::to_string(pending.return_generation) +
         " returns (at once: `uplinkctl cancel " + id + "`)";
}

Result<Contest> JudgeContender(const PendingConfirm& pending,
                               const Contender& contender,
                               const std::string& waiting) {
  const bool same_id =
      contender.terms && contender.terms->id == pending.terms.id;
  if (contender.same_spec && same_id) return Contest::kExtends;
  if (contender.same_spec && contender.from_file) {
    return Contest::kChangesNothing;
  }
  return Fail(ErrorCode::kFailedPrecondition,
              "nothing else can be applied now: " + waiting);
}

Result<void> JudgeAnswer(const std::optional<PendingConfirm>& pending,
                         const std::string& id, const Moment& now) {
  if (!pending) {
    return Fail(ErrorCode::kFailedPrecondition,
                "no spec waits to be confirmed; see `uplinkctl history`");
  }
  if (pending->terms.id != id) {
    return Fail(ErrorCode::kInvalidArgument, "what waits to be confirmed is " +
                                                 Quoted(pending->terms.id) +
                                                 ", not " + Quoted(id));
  }
  if (TimeLeft(*pending, now) <= kNone) {
    return Fail(ErrorCode::kFailedPrecondition,
                "the time to confirm " + Quoted(id) +
                    " is over; the spec of generation " +
                    std::to_string(pending->return_generation) + " returns");
  }
  return {};
}

std::string_view RollbackReasonName(RollbackReason reason) {
  switch (reason) {
    case RollbackReason::kTimeout: return "timeout";
    case RollbackReason::kCancelled: return "cancelled";
    case RollbackReason::kRequested: return "requested";
  }
  return "";
}

bool SameContent(const Spec& ours, const Spec& other) {
  std::map<std::string, UplinkId> ids;
  for (const Uplink& uplink : ours.uplinks) ids[uplink.name] = uplink.id;
  Spec same = AssignIds(other, ids);
  same.name = ours.name;
  same.revision = ours.revision;
  return same == ours;
}

std::string ShortDuration(nanoseconds duration) {
  if (duration < seconds(1)) {
    return std::to_string(duration_cast<milliseconds>(duration).count()) + "ms";
  }
  const auto total = std::chrono::round<seconds>(duration).count();
  std::string text;
  if (total >= 3600) text += std::to_string(total / 3600) + "h";
  if (total % 3600 >= 60) text += std::to_string(total % 3600 / 60) + "m";
  if (total % 60 != 0) text += std::to_string(total % 60) + "s";
  return text;
}

}  // namespace uplinkd
