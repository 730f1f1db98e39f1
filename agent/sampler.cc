#include "agent/sampler.h"

#include <algorithm>
#include <set>

#include "reconciler/sharers.h"

namespace uplinkd {
namespace {

// Fewer unanswered connections than this may be one site that is down.
constexpr std::uint64_t kSuspicious = 3;
// What part of the table must be gone to be counted sooner: a hundredth.
constexpr std::uint64_t kMuchOfTheTable = 100;
// How many times as long as a count took the next one waits, for what makes it
// due. A busy router loses that much all the time: that costs at most 0.8 % of
// a core. Cuts are rare.
constexpr int kAfterLoss = 125;
constexpr int kAfterCut = 100;

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

std::uint64_t SumOf(const std::map<Mark, std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [mark, count] : counts) sum += count;
  return sum;
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
  const std::uint64_t gone = usage && counted_ ? Estimate() : 0;
  if (!ConnectionsAreDue(gone)) return;
  const RateMeter::Time began = now_();
  const auto counts = host.CountConnections(mask_);
  const RateMeter::Time ended = now_();
  const auto hurried = [&](int times) {
    return ended + std::max<RateMeter::Time>(kHurriedConnectionsEvery,
                                             times * (ended - began));
  };
  next_connections_ = NextLook(began, ended, kConnectionsEvery);
  next_after_loss_ = hurried(kAfterLoss);
  if (was_cut_) next_after_cut_ = hurried(kAfterCut);
  if (!counts) return;
  Suspect(*counts);
  TakeOver(*counts, began);
}

void Sampler::TakeOver(const ConnectionCounts& counts, RateMeter::Time at) {
  counted_ = Counted{at, conntrack_.entries, fates_, counts};
  was_cut_ = false;
  for (const auto& [uplink, mark] : marks_) {
    meter_.ConnectionsSeen(uplink, CountOf(counts, mark));
  }
}

// What was counted and what came since, less what was cut, and a like part of
// all for what must have gone by itself since there are only so many entries.
// Returns how many those are.
std::uint64_t Sampler::Estimate() {
  ConnectionCounts here = counted_->connections;
  for (const auto& [mark, came] : counted_->came) here[mark.value].all += came;
  std::uint64_t most = counted_->entries + SumOf(counted_->came);
  for (const auto& [mark, cut] : counted_->cut) {
    std::uint64_t& left = here[mark.value].all;
    const std::uint64_t went = std::min(cut, left);
    left -= went;
    most -= std::min(most, went);
  }
  std::uint64_t all = 0;
  for (const auto& [mark, count] : here) all += count.all;
  const std::uint64_t gone =
      most > conntrack_.entries ? std::min(all, most - conntrack_.entries) : 0;
  for (const auto& [uplink, mark] : marks_) {
    const std::uint64_t estimate = CountOf(here, mark);
    meter_.ConnectionsSeen(
        uplink, gone == 0 ? estimate : estimate - estimate * gone / all);
  }
  return gone;
}

void Sampler::NoteCut(const Mark& mark, std::uint64_t connections) {
  if (connections == 0) return;
  was_cut_ = true;
  if (!counted_) return;
  counted_->cut[mark] += connections;
  conntrack_.entries -= std::min(conntrack_.entries, connections);
  Estimate();
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

// `gone`: how many must have gone by themselves since the last count.
bool Sampler::ConnectionsAreDue(std::uint64_t gone) const {
  const RateMeter::Time now = now_();
  if (was_cut_ && now >= next_after_cut_) return true;
  if (counted_ && kMuchOfTheTable * gone > counted_->entries &&
      now >= next_after_loss_) {
    return true;
  }
  if (now < next_connections_) return false;
  const bool quiet = counted_ && counted_->entries == conntrack_.entries &&
                     counted_->fates == fates_;
  return !quiet || now - counted_->at >= kQuietConnectionsEvery;
}

void Sampler::FatesSeen(const std::map<Mark, std::uint64_t>& given) {
  if (counted_) {
    for (const auto& [mark, count] : given) {
      counted_->came[mark] += GivenSince(fates_, given, mark);
    }
  }
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
