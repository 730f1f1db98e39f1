#include "reconciler/validate_health.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "reconciler/names.h"
#include "reconciler/validate_policy.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;

// More often than this, probes would be a burden on their targets.
constexpr milliseconds kMinInterval{100};
constexpr milliseconds kMaxInterval = std::chrono::hours(1);
constexpr milliseconds kMinTimeout{10};
constexpr std::uint32_t kMaxRounds = 1000;  // of down and up
constexpr std::size_t kMaxText = 256;
constexpr std::uint32_t kMinStatus = 100;  // RFC 9110
constexpr std::uint32_t kMaxStatus = 599;

std::string Text(milliseconds duration) {
  return std::to_string(duration.count()) + "ms";
}

class HealthCheck {
 public:
  HealthCheck(const Spec& spec, const Uplink& uplink, const Health& health,
              std::string path)
      : spec_(spec), uplink_(uplink), health_(health), path_(std::move(path)) {}

  std::vector<Violation> Run() {
    CheckProbes();
    CheckQuorum();
    CheckTimes();
    CheckRounds("down", health_.down);
    CheckRounds("up", health_.up);
    CheckLoss();
    CheckLatency();
    return std::move(found_);
  }

 private:
  // One overload per kind of probe; `path` is the probe's.
  struct ProbeCheck {
    void operator()(const IcmpProbe& probe) const {
      check.CheckTarget(path + ".icmp", probe.target);
    }
    void operator()(const TcpProbe& probe) const {
      check.CheckTarget(path + ".tcp", probe.target);
      if (probe.port == 0) {
        check.Report(path + ".tcp", "0 is no port; use 1 to 65535");
      }
    }
    void operator()(const DnsProbe& probe) const {
      check.CheckTarget(path + ".dns.server", probe.server);
      check.CheckHostName(path + ".dns.name", probe.name);
    }
    void operator()(const HttpProbe& probe) const {
      check.CheckHttp(path + ".http", probe);
    }
    void operator()(const ArpProbe& probe) const {
      check.CheckArp(path + ".arp", probe);
    }
    HealthCheck& check;
    const std::string& path;
  };

  void Report(std::string field, std::string message) {
    found_.push_back({std::move(field), std::move(message)});
  }

  void CheckProbes() {
    const std::string list = path_ + ".probes";
    const std::vector<Probe>& probes = health_.probes;
    if (probes.empty()) {
      return Report(list,
                    "at least one probe is needed; without health the "
                    "uplink is not probed");
    }
    if (probes.size() > kMaxProbes) {
      Report(list, std::to_string(probes.size()) +
                       " probes are too many; at most " +
                       std::to_string(kMaxProbes) + " are supported");
    }
    const std::size_t count = std::min(probes.size(), kMaxProbes);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string path = Index(list, i);
      const std::size_t faults = found_.size();
      std::visit(ProbeCheck{*this, path}, probes[i]);
      if (found_.size() == faults) CheckDuplicate(path, i);
    }
  }

  // Its name is a label of the metrics.
  void CheckDuplicate(const std::string& field, std::size_t index) {
    const std::string name = ProbeName(health_.probes[index]);
    for (std::size_t i = 0; i < index; ++i) {
      if (ProbeName(health_.probes[i]) != name) continue;
      return Report(field, Quote(name) + " is " + Index(path_ + ".probes", i) +
                               " already");
    }
  }

  void CheckTarget(const std::string& field, const Address& address) {
    const std::string fault = AddressFault(Prefix::Host(address));
    if (!fault.empty()) {
      return Report(field, address.ToString() + " " + fault);
    }
    if (!CarriesFamily(uplink_, address.family())) {
      return Report(field, address.ToString() + " is " +
                               FamilyName(address.family()) +
                               ", which this uplink does not carry; ask "
                               "another target, or write family: both");
    }
    for (const Uplink& uplink : spec_.uplinks) {
      if (AddressOf(uplink, address.family()) != address) continue;
      return Report(field, address.ToString() +
                               " is this router's own address on uplink " +
                               Quote(uplink.name) +
                               ", which says nothing about a line");
    }
  }

  void CheckArp(const std::string& field, const ArpProbe& probe) {
    if (!CarriesFamily(uplink_, Family::kIpv4)) {
      return Report(field,
                    "asks by IPv4, which this uplink does not carry; use icmp, "
                    "tcp, dns or http with a target of IPv6");
    }
    if (!probe.target) return;
    if (probe.target->family() == Family::kIpv6) {
      return Report(
          field, probe.target->ToString() + " is IPv6; ARP is asked for IPv4");
    }
    CheckTarget(field, *probe.target);
  }

  void CheckHostName(const std::string& field, const std::string& name) {
    if (name.empty()) return Report(field, "is needed: the name to ask for");
    if (IsHostName(name)) return;
    Report(field, Quote(name) +
                      " is not a host name; write it like "
                      "www.example.net");
  }

  void CheckHttp(const std::string& path, const HttpProbe& probe) {
    const std::optional<HttpUrl> url = ParseHttpUrl(probe.url);
    if (!url) {
      Report(path + ".url", Quote(probe.url) +
                                " is not a URL for a probe; write it like "
                                "http://check.example/path");
    } else if (const auto address = Address::Parse(url->host)) {
      CheckTarget(path + ".url", *address);
      if (probe.address) {
        Report(path + ".address",
               "is not needed: the URL has an address; leave the field out");
      }
    } else if (!probe.address) {
      Report(path + ".address",
             "is needed, since probes resolve no names: the address of " +
                 Quote(url->host));
    }
    if (probe.address) CheckTarget(path + ".address", *probe.address);
    if (probe.status &&
        (*probe.status < kMinStatus || *probe.status > kMaxStatus)) {
      Report(path + ".status", std::to_string(*probe.status) +
                                   " is no status of HTTP; use 100 to 599");
    }
    if (probe.text.size() > kMaxText) {
      Report(path + ".text", "is longer than 256 bytes");
    }
  }

  void CheckQuorum() {
    const std::string field = path_ + ".quorum";
    if (health_.quorum == 0) {
      return Report(field, "0 answers would always do; use 1 or more");
    }
    const std::size_t count = health_.probes.size();
    if (count != 0 && health_.quorum > count) {
      Report(field, std::to_string(health_.quorum) +
                        " answers can never come from " +
                        std::to_string(count) + " probes");
    }
  }

  void CheckTimes() {
    if (health_.interval < kMinInterval || health_.interval > kMaxInterval) {
      Report(path_ + ".interval",
             Text(health_.interval) + " is not between 100ms and 1h");
    }
    const std::string field = path_ + ".timeout";
    if (health_.timeout < kMinTimeout) {
      Report(field, Text(health_.timeout) + " is too short; use 10ms or more");
    } else if (health_.timeout > health_.interval) {
      Report(field, Text(health_.timeout) + " is longer than the interval, " +
                        Text(health_.interval) +
                        "; a round must end before the next one begins");
    }
  }

  void CheckRounds(const std::string& key, std::uint32_t rounds) {
    if (rounds >= 1 && rounds <= kMaxRounds) return;
    Report(path_ + "." + key, std::to_string(rounds) +
                                  " is not a number of rounds; use 1 to " +
                                  std::to_string(kMaxRounds));
  }

  void CheckLoss() {
    if (!health_.loss) return;
    const std::string path = path_ + ".loss";
    if (health_.loss->degraded > kWhole) {
      Report(path + ".degraded", "is more than 100%");
    }
    CheckOrder(path, *health_.loss);
  }

  void CheckLatency() {
    if (!health_.latency) return;
    const std::string path = path_ + ".latency";
    if (health_.latency->degraded > health_.timeout) {
      Report(path + ".degraded", Text(health_.latency->degraded) +
                                     " is longer than the timeout, " +
                                     Text(health_.timeout) +
                                     ", after which an answer counts as lost");
    }
    if (health_.latency->recovered == milliseconds(0)) {
      Report(path + ".recovered", "0ms is faster than any line");
    }
    CheckOrder(path, *health_.latency);
  }

  template <typename Value>
  void CheckOrder(const std::string& path, const Limits<Value>& limits) {
    if (limits.recovered < limits.degraded) return;
    Report(path + ".recovered",
           "must be less than degraded, or a value in between would be both");
  }

  const Spec& spec_;
  const Uplink& uplink_;
  const Health& health_;
  std::string path_;
  std::vector<Violation> found_;
};

}  // namespace

std::vector<Violation> CheckHealth(const Spec& spec, const Uplink& uplink,
                                   const Health& health,
                                   const std::string& path) {
  return HealthCheck(spec, uplink, health, path).Run();
}

}  // namespace uplinkd
