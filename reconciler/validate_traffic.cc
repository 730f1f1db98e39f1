#include "reconciler/validate_traffic.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "reconciler/names.h"
#include "reconciler/validate_policy.h"

namespace uplinkd {
namespace {

constexpr std::uint8_t kMaxDscp = 63;

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
    return std::move(found_);
  }

 private:
  void Report(std::string field, std::string message) {
    found_.push_back({std::move(field), std::move(message)});
  }

  void CheckRule(std::size_t index) {
    const TrafficRule& rule = spec_.traffic[index];
    const std::string path = Index("spec.traffic", index);
    CheckName(path + ".name", index);
    CheckMatch(path + ".match", rule.match, rule.match);
    CheckMatch(path + ".match.not", rule.except, rule.match);
    CheckUse(path + ".use", rule.use);
    CheckReach(path, index);
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

  // `rule` is what the rule itself matches: it says whose ports these are.
  void CheckMatch(const std::string& path, const TrafficMatch& match,
                  const TrafficMatch& rule) {
    if (match.protocol == std::uint8_t{0}) {
      Report(path + ".protocol", "0 is no protocol; leave the field out");
    }
    CheckPrefixes(path + ".source", match.source);
    CheckPrefixes(path + ".destination", match.destination);
    CheckPorts(path + ".sourcePorts", match.source_ports, rule.protocol);
    CheckPorts(path + ".destinationPorts", match.destination_ports,
               rule.protocol);
    CheckInterface(path + ".interface", match.interface);
    CheckCount(path + ".dscp", match.dscp.size());
    for (std::size_t i = 0; i < match.dscp.size(); ++i) {
      if (match.dscp[i] <= kMaxDscp) continue;
      Report(Index(path + ".dscp", i),
             std::to_string(match.dscp[i]) + " is no code point; use 0 to 63");
    }
    CheckCount(path + ".sourceMac", match.source_mac.size());
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
      if (prefix.family() == Family::kIpv6) {
        Report(Index(field, i),
               prefix.ToString() +
                   " is IPv6, which this version does not balance yet");
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
      if (ports[i].first <= ports[i].last) continue;
      Report(Index(field, i), "ends before it begins; write it as " +
                                  std::to_string(ports[i].last) + "-" +
                                  std::to_string(ports[i].first));
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
