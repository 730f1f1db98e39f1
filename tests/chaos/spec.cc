#include "tests/chaos/spec.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <sstream>
#include <utility>

#include "tests/lab/lab.h"

namespace uplinkd::chaos {
namespace {

// "[[wan2, wan1], [wan3]]"
std::string TextOf(const std::vector<std::vector<std::size_t>>& tiers) {
  std::string text;
  for (const std::vector<std::size_t>& tier : tiers) {
    std::string members;
    for (const std::size_t line : tier) {
      members += (members.empty() ? "" : ", ") + lab::UplinkInterface(line);
    }
    text += (text.empty() ? "[" : ", [") + members + "]";
  }
  return "[" + text + "]";
}

// std::shuffle differs between libraries; a seed must mean the same on all.
template <typename T>
void Shuffle(Random& random, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[random.Below(i)]);
  }
}

}  // namespace

ChaosSpec ChaosSpec::Make(Random& random, int revision, const Lines& silent) {
  ChaosSpec spec;
  spec.revision_ = "r" + std::to_string(revision);
  if (random.Chance(15)) spec.base_ = 40;
  spec.AddUplinks(random, silent);
  spec.balance_ = spec.MakePolicy(random, "");
  const std::size_t policies = random.Below(4);
  for (std::size_t i = 1; i <= policies; ++i) {
    spec.policies_.push_back(spec.MakePolicy(random, "p" + std::to_string(i)));
  }
  const bool latency = !spec.EveryPolicy([](const ChaosPolicy& policy) {
    return policy.algorithm != "lowest-latency";
  });
  for (ChaosUplink& uplink : spec.uplinks_) uplink.probed |= latency;
  if (!spec.policies_.empty() && random.Chance(50)) {
    spec.rule_.use = random.AnyOf(spec.policies_).name;
  } else if (random.Chance(40)) {
    spec.rule_.is_uplink = true;
    spec.rule_.use = lab::UplinkInterface(random.AnyOf(spec.uplinks_).line);
  } else if (random.Chance(20)) {
    spec.rule_.use = "main";
  }
  spec.other_rules_ = static_cast<int>(random.Below(5));
  if (random.Chance(30)) spec.local_ = "balance";
  return spec;
}

void ChaosSpec::AddUplinks(Random& random, const Lines& silent) {
  std::vector<std::size_t> lines(kLines);
  std::iota(lines.begin(), lines.end(), 1);
  Shuffle(random, lines);
  // Mostly all, so that connections live for more than a round.
  while (lines.size() > 1 && random.Chance(15)) lines.pop_back();
  const bool weighted = random.Chance(40);
  for (const std::size_t line : lines) {
    ChaosUplink uplink;
    uplink.line = line;
    uplink.learns = random.Chance(70);
    if (random.Chance(25)) uplink.nat = "masquerade";
    if (random.Chance(8)) uplink.state = "draining";
    if (random.Chance(6)) uplink.state = "disabled";
    uplink.probed = random.Chance(30) || silent.contains(line);
    uplink.megabits = static_cast<int>(random.Between(1, 100));
    if (weighted) uplink.weight = static_cast<int>(random.Between(1, 9));
    uplinks_.push_back(uplink);
  }
}

ChaosPolicy ChaosSpec::MakePolicy(Random& random,
                                  const std::string& name) const {
  constexpr std::array kAlgorithms = {
      "weighted-random", "round-robin",       "source-hash",
      "least-loaded",    "least-connections", "lowest-latency",
      "overflow",        "failover",          "multipath"};
  constexpr std::array kLastResorts = {"main", "unreachable", "blackhole"};
  ChaosPolicy policy;
  policy.name = name;
  // multipath, the last one, is for balance alone.
  policy.algorithm =
      kAlgorithms.at(random.Below(kAlgorithms.size() - (name.empty() ? 0 : 1)));
  policy.last_resort = random.AnyOf(kLastResorts);
  policy.cuts_on_failover = random.Chance(85);
  policy.cuts_on_failback = random.Chance(10);
  const bool ordered =
      policy.algorithm == "failover" || policy.algorithm == "overflow";
  if (ordered || random.Chance(40)) {
    std::vector<std::size_t> lines;
    for (const ChaosUplink& uplink : uplinks_) lines.push_back(uplink.line);
    Shuffle(random, lines);
    policy.tiers.emplace_back();
    for (const std::size_t line : lines) {
      if (!policy.tiers.back().empty() && random.Chance(40)) {
        policy.tiers.emplace_back();
      }
      policy.tiers.back().push_back(line);
    }
  }
  if (policy.algorithm != "multipath" && random.Chance(20)) {
    policy.affinity = random.Chance(70) ? "source" : "source-destination";
  }
  return policy;
}

std::string ChaosSpec::Text() const {
  std::ostringstream text;
  text << "apiVersion: uplinkd/v1\nkind: Router\n"
       << "metadata: {name: chaos, revision: " << revision_ << "}\nspec:\n"
       << "  lans: [{interface: lan0, networks: [" << lab::kLanNetwork
       << "]}]\n  tables: {base: " << base_ << "}\n  uplinks:\n";
  for (const ChaosUplink& uplink : uplinks_) {
    const std::string link = lab::UplinkInterface(uplink.line);
    text << "    - {name: " << link << ", interface: " << link
         << ", id: " << uplink.line << ", nat: " << uplink.nat
         << ", state: " << uplink.state
         << ", capacity: {download: " << uplink.megabits
         << "mbit, upload: " << uplink.megabits << "mbit}";
    if (uplink.weight != 0) text << ", weight: " << uplink.weight;
    if (!uplink.learns) {
      text << ", address: " << lab::UplinkAddress(uplink.line)
           << ", gateway: " << lab::GatewayAddress(uplink.line);
    }
    // Slow enough for a sanitized agent on a busy machine.
    if (uplink.probed) {
      text << ", health: {probes: [{icmp: " << lab::kServerAddress
           << "}], interval: 500ms, timeout: 450ms, down: 3, up: 2}";
    }
    text << "}\n";
  }
  text << "  balance:\n" << TextOf(balance_, false);
  if (!policies_.empty()) text << "  policies:\n";
  for (const ChaosPolicy& policy : policies_) text << TextOf(policy, true);
  text << TextOfTraffic() << "  local: {use: " << local_ << "}\n";
  return text.str();
}

std::string ChaosSpec::TextOf(const ChaosPolicy& policy, bool list_item) const {
  std::string text = list_item ? "    - name: " + policy.name + "\n" : "";
  const std::string indent = list_item ? "      " : "    ";
  text += indent + "algorithm: " + policy.algorithm + "\n";
  if (!policy.tiers.empty()) {
    text += indent + "tiers: " + chaos::TextOf(policy.tiers) + "\n";
  }
  text += indent + "lastResort: " + policy.last_resort + "\n";
  if (!policy.cuts_on_failover) text += indent + "onFailover: keep\n";
  if (policy.cuts_on_failback) text += indent + "onFailback: cut\n";
  if (policy.affinity != "none") {
    text += indent + "affinity: {by: " + policy.affinity + "}\n";
  }
  return text;
}

std::string ChaosSpec::TextOfTraffic() const {
  constexpr std::array kOthers = {
      "{protocol: udp, destinationPorts: [5060, \"10000-20000\"]}",
      "{dscp: [ef, cs3], source: [192.168.10.0/25, 192.168.10.128/26]}",
      "{protocol: tcp, destinationPorts: [443], limit: {rate: 5/second}}",
      "{mark: 0x20000/0xf0000, not: {destination: [203.0.113.0/24]}}"};
  std::string text = "  traffic:\n";
  for (int i = 0; i < other_rules_; ++i) {
    text += "    - {name: other" + std::to_string(i) +
            ", match: " + kOthers.at(static_cast<std::size_t>(i)) +
            ", use: balance}\n";
  }
  return text + "    - {name: second, match: {source: [" +
         lab::ClientAddress(1) + "]}, use: " + rule_.use + "}\n";
}

const ChaosUplink* ChaosSpec::Find(std::size_t line) const {
  const auto found = std::ranges::find(uplinks_, line, &ChaosUplink::line);
  return found == uplinks_.end() ? nullptr : &*found;
}

bool ChaosSpec::Carries(std::size_t line) const {
  const ChaosUplink* const uplink = Find(line);
  return uplink != nullptr && uplink->state != "disabled";
}

bool ChaosSpec::Probes(std::size_t line) const {
  const ChaosUplink* const uplink = Find(line);
  return uplink != nullptr && uplink->probed;
}

bool ChaosSpec::EveryPolicy(
    const std::function<bool(const ChaosPolicy&)>& holds) const {
  return holds(balance_) && std::ranges::all_of(policies_, holds);
}

bool ChaosSpec::CutsOnFailback() const {
  return !EveryPolicy(
      [](const ChaosPolicy& policy) { return !policy.cuts_on_failback; });
}

bool ChaosSpec::CutsOnFailover(std::size_t line, const Lines& others) const {
  if (rule_.is_uplink && rule_.use == lab::UplinkInterface(line)) return false;
  // Each of them has all uplinks.
  return std::ranges::any_of(uplinks_,
                             [&](const ChaosUplink& other) {
                               return other.line != line &&
                                      other.state == "enabled" &&
                                      others.contains(other.line);
                             }) &&
         EveryPolicy(
             [](const ChaosPolicy& policy) { return policy.cuts_on_failover; });
}

bool ChaosSpec::FollowsMeasurements() const {
  return !EveryPolicy([](const ChaosPolicy& policy) {
    return policy.algorithm != "least-connections" &&
           policy.algorithm != "lowest-latency";
  });
}

Lines ChaosSpec::ChoiceOf(const ChaosPolicy& policy, const Lines& ready) const {
  std::vector<std::vector<std::size_t>> tiers = policy.tiers;
  if (tiers.empty()) {
    tiers.emplace_back();
    for (const ChaosUplink& uplink : uplinks_) {
      tiers.back().push_back(uplink.line);
    }
  }
  for (const std::vector<std::size_t>& tier : tiers) {
    Lines choice;
    for (const std::size_t line : tier) {
      if (!ready.contains(line) || Find(line)->state != "enabled") continue;
      choice.insert(line);
      // With affinity a client keeps what it had within the tier.
      if (policy.algorithm == "failover" && policy.affinity == "none") break;
    }
    if (!choice.empty()) return choice;
  }
  return {};
}

Lines ChaosSpec::ChoiceOfFirst(const Lines& ready) const {
  return ChoiceOf(balance_, ready);
}

Lines ChaosSpec::ChoiceOfSecond(const Lines& ready) const {
  if (rule_.is_uplink) {
    for (const ChaosUplink& uplink : uplinks_) {
      const bool works =
          ready.contains(uplink.line) && uplink.state == "enabled";
      if (rule_.use == lab::UplinkInterface(uplink.line) && works) {
        return {uplink.line};
      }
    }
    return {};
  }
  if (rule_.use == "main") return {};
  const auto policy =
      std::ranges::find(policies_, rule_.use, &ChaosPolicy::name);
  return ChoiceOf(policy == policies_.end() ? balance_ : *policy, ready);
}

}  // namespace uplinkd::chaos
