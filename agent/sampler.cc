#include "agent/sampler.h"

#include <set>

namespace uplinkd {

void Sampler::Follow(const Spec& spec) {
  mask_ = spec.mark_mask;
  marks_.clear();
  std::set<std::string> names;
  for (const Uplink& uplink : spec.uplinks) {
    marks_[uplink.name] = MarkOf(spec, uplink.id);
    names.insert(uplink.name);
  }
  meter_.Follow(names, spec.balance.estimator.window);
}

void Sampler::Look(Host& host, const std::map<std::string, int>& links) {
  for (const auto& [uplink, index] : links) {
    const Result<LinkCounters> counters =
        index == 0 ? Fail(ErrorCode::kNotFound, "no link")
                   : host.ReadLink(index);
    if (counters) {
      meter_.LinkSeen(uplink, index, *counters, now_());
    } else {
      meter_.LinkMissing(uplink);
    }
  }
  LookAtConnections(host);
}

void Sampler::LookAtConnections(Host& host) {
  if (const Result<ConntrackUsage> usage = host.ReadConntrackUsage()) {
    conntrack_ = *usage;
  }
  const RateMeter::Time began = now_();
  if (began < next_connections_) return;
  const auto counts = host.CountConnections(mask_);
  next_connections_ = NextLook(began, now_(), kConnectionsEvery);
  if (!counts) return;
  for (const auto& [uplink, mark] : marks_) {
    const auto count = counts->find(mark.value);
    meter_.ConnectionsSeen(uplink, count == counts->end() ? 0 : count->second);
  }
}

void Sampler::FatesSeen(const std::map<Mark, std::uint64_t>& given) {
  std::map<std::string, std::uint64_t> by_uplink;
  for (const auto& [uplink, mark] : marks_) {
    const auto count = given.find(mark);
    by_uplink[uplink] = count == given.end() ? 0 : count->second;
  }
  meter_.FatesSeen(by_uplink, now_());
}

}  // namespace uplinkd
