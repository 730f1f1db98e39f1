#include "agent/sampler.h"

#include <algorithm>
#include <set>

#include "reconciler/sharers.h"

namespace uplinkd {
namespace {

// Fewer unanswered connections than this may be one site that is down.
constexpr std::uint64_t kSuspicious = 3;

std::uint64_t FatesOf(const std::map<Mark, std::uint64_t>& fates, Mark mark) {
  const auto found = fates.find(mark);
  return found == fates.end() ? 0 : found->second;
}

// How many fates of `mark` were given between the two looks at the counters.
// One that went back belongs to a new rule, which began at 0.
std::uint64_t GivenSince(const std::map<Mark, std::uint64_t>& before,
                         const std::map<Mark, std::uint64_t>& now, Mark mark) {
  const std::uint64_t first = FatesOf(before, mark);
  const std::uint64_t last = FatesOf(now, mark);
  return last < first ? last : last - first;
}

std::uint64_t CountOf(const ConnectionCounts& counts, Mark mark) {
  const auto found = counts.find(mark.value);
  return found == counts.end() ? 0 : found->second.all;
}

}  // namespace

void Sampler::Follow(const Spec& spec) {
  mask_ = spec.mark_mask;
  counted_.reset();
  marks_.clear();
  std::set<std::string> names;
  for (const Uplink& uplink : spec.uplinks) {
    marks_[uplink.name] = MarkOf(spec, uplink.id);
    names.insert(uplink.name);
  }
  meter_.Follow(names, spec.balance.estimator.window);
  for (const Uplink& uplink : spec.uplinks) {
    if (SharesInterface(spec, uplink)) meter_.LinkShared(uplink.name);
  }
}

void Sampler::Look(Host& host, const std::map<std::string, int>& links) {
  std::set<int> indexes;
  for (const auto& [uplink, index] : links) {
    if (index != 0) indexes.insert(index);
  }
  const std::map<int, LinkCounters> counters = host.ReadLinks(indexes);
  const RateMeter::Time now = now_();
  for (const auto& [uplink, index] : links) {
    const auto read = counters.find(index);
    if (read != counters.end()) {
      meter_.LinkSeen(uplink, index, read->second, now);
    } else {
      meter_.LinkMissing(uplink);
    }
  }
  LookAtConnections(host);
}

void Sampler::LookAtConnections(Host& host) {
  suspects_.clear();
  const Result<ConntrackUsage> usage = host.ReadConntrackUsage();
  if (usage) conntrack_ = *usage;
  if (!ConnectionsAreDue()) {
    if (usage && counted_) Estimate();
    return;
  }
  const RateMeter::Time began = now_();
  const auto counts = host.CountConnections(mask_);
  next_connections_ = NextLook(began, now_(), kConnectionsEvery);
  if (!counts) return;
  Suspect(*counts);
  TakeOver(*counts, began);
}

void Sampler::TakeOver(const ConnectionCounts& counts, RateMeter::Time at) {
  counted_ = Counted{at, conntrack_.entries, fates_, counts};
  for (const auto& [uplink, mark] : marks_) {
    meter_.ConnectionsSeen(uplink, CountOf(counts, mark));
  }
}

// What was counted and what came since, less a like part of all for what must
// have gone since there are only so many entries.
void Sampler::Estimate() {
  std::uint64_t all = 0;
  for (const auto& [mark, count] : counted_->connections) all += count.all;
  std::map<std::string, std::uint64_t> estimates;
  std::uint64_t came = 0;
  for (const auto& [uplink, mark] : marks_) {
    const std::uint64_t given = GivenSince(counted_->fates, fates_, mark);
    estimates[uplink] = CountOf(counted_->connections, mark) + given;
    came += given;
  }
  all += came;
  const std::uint64_t most = counted_->entries + came;
  const std::uint64_t gone =
      most > conntrack_.entries ? std::min(all, most - conntrack_.entries) : 0;
  for (const auto& [uplink, estimate] : estimates) {
    meter_.ConnectionsSeen(
        uplink, gone == 0 ? estimate : estimate - estimate * gone / all);
  }
}

void Sampler::Suspect(const ConnectionCounts& counts) {
  const Counted last = counted_.value_or(Counted{});
  for (const auto& [uplink, mark] : marks_) {
    const auto count = counts.find(mark.value);
    if (count == counts.end()) continue;
    const std::uint64_t unanswered = count->second.unanswered;
    const std::uint64_t came = GivenSince(last.fates, fates_, mark);
    if (came > 0 && unanswered >= kSuspicious && 2 * unanswered >= came) {
      suspects_.insert(uplink);
    }
  }
}

bool Sampler::ConnectionsAreDue() const {
  const RateMeter::Time now = now_();
  if (now < next_connections_) return false;
  const bool quiet = counted_ && counted_->entries == conntrack_.entries &&
                     counted_->fates == fates_;
  return !quiet || now - counted_->at >= kQuietConnectionsEvery;
}

void Sampler::FatesSeen(const std::map<Mark, std::uint64_t>& given) {
  fates_ = given;
  std::erase_if(fates_, [](const auto& fate) { return fate.second == 0; });
  std::map<std::string, std::uint64_t> by_uplink;
  for (const auto& [uplink, mark] : marks_) {
    const auto count = given.find(mark);
    by_uplink[uplink] = count == given.end() ? 0 : count->second;
  }
  meter_.FatesSeen(by_uplink, now_());
}

}  // namespace uplinkd
