#include "agent/blocked_uplinks.h"

#include <algorithm>

#include "reconciler/render.h"

namespace uplinkd {
namespace {

constexpr std::chrono::milliseconds kFirstDelay{100};
constexpr std::chrono::seconds kLastDelay{60};

std::string OwnerOf(const Report& report, std::uint32_t table) {
  for (const UplinkState& uplink : report.uplinks) {
    if (uplink.table == table) return uplink.name;
  }
  return "";
}

}  // namespace

Refusals RefusalsOf(const Report& report) {
  Refusals refusals;
  for (const auto& [uplink, words] : report.refused) {
    refusals[uplink] = {"KernelRejected", words};
  }
  for (const ForeignConflict& conflict : report.plan.conflicts) {
    const std::string uplink = OwnerOf(report, conflict.wanted.key.table);
    if (uplink.empty()) continue;
    refusals[uplink] = {"ForeignConflict",
                        "a route that is not ours is in the way: " +
                            RenderRoute(conflict.foreign)};
  }
  return refusals;
}

std::map<std::string, std::string> BlockedUplinks::LeftOut(Time now) const {
  std::map<std::string, std::string> words;
  for (const auto& [uplink, entry] : entries_) {
    if (entry.retry_at > now) words[uplink] = entry.refusal.words;
  }
  return words;
}

std::map<std::string, BlockedUplinks::UplinkFacts> BlockedUplinks::FactsOf(
    const Report& report) {
  std::map<std::string, UplinkFacts> facts;
  for (const UplinkState& uplink : report.uplinks) {
    const auto index = report.link_index.find(uplink.name);
    facts[uplink.name] = {uplink.address, uplink.gateway,
                          index == report.link_index.end() ? 0 : index->second};
  }
  return facts;
}

bool BlockedUplinks::PassEnded(
    Time now, const std::map<std::string, std::string>& left_out,
    const Report& report) {
  // A pass that could not read tells nothing about uplinks.
  if (report.failed_phase) return false;
  const std::map<std::string, UplinkFacts> facts = FactsOf(report);
  const Refusals refusals = RefusalsOf(report);
  bool again = false;
  for (auto item = entries_.begin(); item != entries_.end();) {
    const std::string& uplink = item->first;
    Entry& entry = item->second;
    const auto present = facts.find(uplink);
    const bool tried = !left_out.contains(uplink);
    // A conflict leaves open what became of an uplink that was tried.
    const bool mended = tried && report.result != PassResult::kConflict &&
                        !refusals.contains(uplink);
    if (present == facts.end() || mended) {
      item = entries_.erase(item);
      continue;
    }
    if (!tried && present->second != entry.facts) {
      entry.retry_at = now;
      entry.delay = Time{};
      again = true;
    }
    ++item;
  }
  for (const auto& [uplink, refusal] : refusals) {
    const auto known = facts.find(uplink);
    if (known == facts.end()) continue;
    Entry& entry = entries_[uplink];
    entry.refusal = refusal;
    entry.facts = known->second;
    entry.delay = entry.delay == Time{}
                      ? Time(kFirstDelay)
                      : std::min<Time>(2 * entry.delay, Time(kLastDelay));
    entry.retry_at = now + entry.delay;
    again = true;
  }
  return again;
}

std::optional<BlockedUplinks::Time> BlockedUplinks::NextTry() const {
  std::optional<Time> next;
  for (const auto& [uplink, entry] : entries_) {
    if (!next || entry.retry_at < *next) next = entry.retry_at;
  }
  return next;
}

Refusals BlockedUplinks::all() const {
  Refusals refusals;
  for (const auto& [uplink, entry] : entries_) {
    refusals[uplink] = entry.refusal;
  }
  return refusals;
}

}  // namespace uplinkd
