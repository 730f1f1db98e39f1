#include "reconciler/validate_traffic.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "reconciler/hex.h"
#include "reconciler/names.h"
#include "reconciler/validate_policy.h"

namespace uplinkd {
namespace {

constexpr std::uint8_t kMaxDscp = 63;
constexpr std::size_t kMaxIpsetName = 31;  // IPSET_MAXNAMELEN, with its NUL

class TrafficCheck {
 public:
  explicit TrafficCheck(const Spec& spec) : spec_(spec) {}

  std::vector<Violation> Run() {
    const std::vector<TrafficRule>& rules = spec_.traffic;
    if (rules.size() > kMaxTrafficRules) {
      Report("spec.traffic",
             std::to_string(rules.size()) + " rules are too many; at most " +
                 std::to_string(kMaxTrafficRules) + " are supported");
    }
    const std::size_t count = std::min(rules.size(), kMaxTrafficRules);
    for (std::size_t i = 0; i < count; ++i) CheckRule(i);
    CheckUse("spec.local.use", spec_.local_use);
    return std::move(found_);
  }

 private:
  void Report(std::string field, std::string message) {
    found_.push_back({std::move(field), std::move(message)});
  }

  void CheckRule(std::size_t index) {
    const TrafficRule& rule = spec_.traffic[index];
    const std::string path = Index("spec.traffic", index);
    CheckReach(path, index);
    CheckName(path + ".name", index);
    CheckMatch(path + ".match", rule.match, rule);
    CheckMatch(path + ".match.not", rule.except, rule);
    CheckUse(path + ".use", rule.use);
    CheckFamilies(path, rule);
  }

  // That there are packets that the rule is about, and that its uplink takes
  // them.
  void CheckFamilies(const std::string& path, const TrafficRule& rule) {
    const auto has = [](const std::vector<Prefix>& prefixes, Family family) {
      return prefixes.empty() ||
             std::ranges::find(prefixes, family, &Prefix::family) !=
                 prefixes.end();
    };
    std::vector<Family> families;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      if (has(rule.match.source, family) &&
          has(rule.match.destination, family)) {
        families.push_back(family);
      }
    }
    if (families.empty()) {
      return Report(path + ".match.destination",
                    "is of another family than source; no connection goes "
                    "from the one to the other");
    }
    const auto uplink =
        std::ranges::find(spec_.uplinks, rule.use, &Uplink::name);
    if (uplink == spec_.uplinks.end() || families.size() > 1 ||
        CarriesFamily(*uplink, families.front())) {
      return;
    }
    Report(path + ".use", Quote(rule.use) + " carries no " +
                              FamilyName(families.front()) +
                              ", which this rule is about");
  }

  void CheckName(const std::string& field, std::size_t index) {
    const std::string& name = spec_.traffic[index].name;
    if (std::string fault = TrafficRuleNameFault(name); !fault.empty()) {
      return Report(field, std::move(fault));
    }
    for (std::size_t i = 0; i < index; ++i) {
      if (spec_.traffic[i].name != name) continue;
      return Report(field, Quote(name) + " is the name of " +
                               Index("spec.traffic", i) + " already");
    }
  }

  // One of the two matches of `rule`.
  void CheckMatch(const std::string& path, const TrafficMatch& match,
                  const TrafficRule& rule) {
    if (match.protocol == std::uint8_t{0}) {
      Report(path + ".protocol", "0 is no protocol; leave the field out");
    }
    CheckPrefixes(path + ".source", match.source);
    CheckPrefixes(path + ".destination", match.destination);
    CheckPorts(path + ".sourcePorts", match.source_ports, rule.match.protocol);
    CheckPorts(path + ".destinationPorts", match.destination_ports,
               rule.match.protocol);
    if (CheckNotLocal(path + ".interface", !match.interface.empty(), rule)) {
      CheckInterface(path + ".interface", match.interface);
    }
    CheckCount(path + ".dscp", match.dscp.size());
    for (std::size_t i = 0; i < match.dscp.size(); ++i) {
      if (match.dscp[i] <= kMaxDscp) continue;
      Report(Index(path + ".dscp", i),
             std::to_string(match.dscp[i]) + " is no code point; use 0 to 63");
    }
    CheckNotLocal(path + ".sourceMac", !match.source_mac.empty(), rule);
    CheckCount(path + ".sourceMac", match.source_mac.size());
    CheckIpset(path + ".sourceSet", match.source_set);
    CheckIpset(path + ".destinationSet", match.destination_set);
    CheckMark(path + ".mark", match.mark);
    CheckMark(path + ".connmark", match.connmark);
    if (match.limit) CheckLimit(path + ".limit", *match.limit);
    if (!match.uid.empty() && !IsLocal(rule)) {
      Report(path + ".uid",
             "is for rules that have a uid themselves: those for the router's "
             "own connections");
    }
    CheckUids(path + ".uid", match.uid);
  }

  // What cannot be known of the router's own connections: they come in by no
  // link, and from no card.
  bool CheckNotLocal(const std::string& field, bool given,
                     const TrafficRule& rule) {
    if (!given || !IsLocal(rule)) return true;
    Report(field,
           "cannot be known of the router's own connections, which a uid "
           "stands for; remove one of the two");
    return false;
  }

  void CheckLimit(const std::string& path, const RateLimit& limit) {
    // What a budget can hold at most is what comes back in a day: more than
    // that, the kernel does not count (user2credits() in xt_hashlimit.c).
    const auto day = static_cast<std::uint64_t>(
        std::chrono::hours(24) / limit.unit * std::int64_t{limit.count});
    const std::uint64_t most = std::min<std::uint64_t>(kMaxBurst, day);
    if (limit.burst >= 1 && limit.burst <= most) return;
    Report(path + ".burst", std::to_string(limit.burst) +
                                " cannot be counted at this rate; use 1 to " +
                                std::to_string(most));
  }

  void CheckIpset(const std::string& field, const std::string& name) {
    const bool printable =
        std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
    if (name.size() <= kMaxIpsetName && printable) return;
    Report(field, Quote(name) +
                      " is not the name of an ipset: 1 to 31 characters "
                      "without spaces");
  }

  void CheckMark(const std::string& field, const std::optional<Mark>& mark) {
    if (!mark || (mark->mask & spec_.mark_mask) == 0) return;
    const std::uint32_t others = mark->mask & ~spec_.mark_mask;
    Report(field,
           "the bits " + Hex(mark->mask & spec_.mark_mask) +
               " are uplinkd's own (spec.marks.mask); use others, like " +
               Hex(mark->value & others) + "/" +
               Hex(others == 0 ? ~spec_.mark_mask : others));
  }

  void CheckUids(const std::string& field, const std::vector<UidRange>& uids) {
    CheckCount(field, uids.size());
    for (std::size_t i = 0; i < uids.size(); ++i) {
      CheckOrder(Index(field, i), uids[i]);
    }
  }

  template <typename Range>
  void CheckOrder(const std::string& field, const Range& range) {
    if (range.first <= range.last) return;
    Report(field, "ends before it begins; write it as " +
                      std::to_string(range.last) + "-" +
                      std::to_string(range.first));
  }

  void CheckCount(const std::string& field, std::size_t count) {
    if (count <= kMaxMatchValues) return;
    Report(field, std::to_string(count) + " values are too many; at most " +
                      std::to_string(kMaxMatchValues) +
                      " are supported, an ipset holds more");
  }

  void CheckPrefixes(const std::string& field,
                     const std::vector<Prefix>& prefixes) {
    CheckCount(field, prefixes.size());
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      const Prefix& prefix = prefixes[i];
      const std::vector<Family> families = FamiliesOf(spec_);
      if (std::ranges::find(families, prefix.family()) == families.end()) {
        Report(Index(field, i), prefix.ToString() + " is " +
                                    FamilyName(prefix.family()) +
                                    ", which no uplink of this spec carries");
      } else if (prefix.IsDefault()) {
        Report(Index(field, i),
               prefix.ToString() + " is every address; leave the field out");
      }
    }
  }

  void CheckPorts(const std::string& field, const std::vector<PortRange>& ports,
                  std::optional<std::uint8_t> protocol) {
    if (ports.empty()) return;
    CheckCount(field, ports.size());
    if (!protocol || !HasPorts(*protocol)) {
      Report(field,
             "needs a protocol that has ports: tcp, udp, udplite, sctp or "
             "dccp");
    }
    for (std::size_t i = 0; i < ports.size(); ++i) {
      CheckOrder(Index(field, i), ports[i]);
    }
  }

  void CheckInterface(const std::string& field, const std::string& interface) {
    if (interface.empty()) return;
    const bool is_lan = std::ranges::any_of(
        spec_.lans, [&](const Lan& lan) { return lan.interface == interface; });
    if (is_lan) return;
    Report(field,
           Quote(interface) +
               " is not a LAN of this spec, so nothing of it comes here");
  }

  void CheckUse(const std::string& field, const std::string& use) {
    if (use.empty()) {
      return Report(field, "is needed: a policy, an uplink, balance, or main");
    }
    if (use == kUseMain || use == kBalance) return;
    const bool known = std::ranges::find(spec_.uplinks, use, &Uplink::name) !=
                           spec_.uplinks.end() ||
                       std::ranges::find(spec_.policies, use, &Policy::name) !=
                           spec_.policies.end();
    if (known) return;
    Report(field, Quote(use) + " is no policy and no uplink of this spec");
  }

  void CheckReach(const std::string& path, std::size_t index) {
    const TrafficRule& rule = spec_.traffic[index];
    for (std::size_t i = 0; i < index; ++i) {
      if (!Covers(spec_.traffic[i], rule)) continue;
      return Report(path, "is never reached: " + Index("spec.traffic", i) +
                              " (" + Quote(spec_.traffic[i].name) +
                              ") takes all that it matches");
    }
  }

  const Spec& spec_;
  std::vector<Violation> found_;
};

}  // namespace

std::vector<Violation> CheckTraffic(const Spec& spec) {
  return TrafficCheck(spec).Run();
}

}  // namespace uplinkd
