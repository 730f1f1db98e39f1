#include "proto/convert_health.h"

#include <google/protobuf/util/time_util.h>

#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "proto/convert_values.h"
#include "proto/units.h"
#include "reconciler/names.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kGateway[] = "gateway";

class HealthReader {
 public:
  HealthReader(std::string path, std::vector<Violation>& faults)
      : path_(std::move(path)), faults_(faults) {}

  Health Read(const v1::Health& source) {
    Health health;
    for (int i = 0; i < source.probes_size(); ++i) {
      health.probes.push_back(ReadProbe(
          source.probes(i), path_ + ".probes[" + std::to_string(i) + "]"));
    }
    if (source.has_quorum()) health.quorum = source.quorum();
    if (source.has_interval()) {
      health.interval =
          Duration(".interval", source.interval(), health.interval);
    }
    health.timeout = DefaultTimeout(health.interval);
    if (source.has_timeout()) {
      health.timeout = Duration(".timeout", source.timeout(), health.timeout);
    }
    if (source.has_down()) health.down = source.down();
    if (source.has_up()) health.up = source.up();
    if (source.has_loss()) health.loss = ReadLoss(source.loss());
    if (source.has_latency()) health.latency = ReadLatency(source.latency());
    return health;
  }

 private:
  void Report(const std::string& field, std::string message) {
    faults_.push_back({field, std::move(message)});
  }

  std::chrono::milliseconds Duration(const std::string& key,
                                     const google::protobuf::Duration& duration,
                                     std::chrono::milliseconds otherwise) {
    return ReadMilliseconds(path_ + key, duration, otherwise, faults_);
  }

  Address TargetAt(const std::string& field, const std::string& text) {
    return ReadAddress(field, text, faults_).value_or(Address());
  }

  Probe ReadProbe(const v1::Probe& source, const std::string& path) {
    switch (source.kind_case()) {
      case v1::Probe::kIcmp:
        return IcmpProbe{TargetAt(path + ".icmp", source.icmp())};
      case v1::Probe::kTcp: return ReadTcp(source.tcp(), path + ".tcp");
      case v1::Probe::kDns:
        return DnsProbe{TargetAt(path + ".dns.server", source.dns().server()),
                        source.dns().name()};
      case v1::Probe::kHttp: return ReadHttp(source.http(), path + ".http");
      case v1::Probe::kArp: return ReadArp(source.arp(), path + ".arp");
      case v1::Probe::KIND_NOT_SET: break;
    }
    Report(path, "says nothing to probe; write icmp, tcp, dns, http or arp");
    return ArpProbe{};
  }

  TcpProbe ReadTcp(const std::string& text, const std::string& field) {
    const std::size_t colon = text.rfind(':');
    std::string host = text.substr(0, colon);
    // Brackets tell an address of IPv6 from the port (RFC 3986).
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const std::optional<Address> target = Address::Parse(host);
    const bool six = target && target->family() == Family::kIpv6;
    const Parsed<std::uint64_t> port =
        ParseUnsigned(colon == std::string::npos ? "" : text.substr(colon + 1),
                      std::numeric_limits<std::uint16_t>::max());
    if (target && port && six == bracketed) {
      return {*target, static_cast<std::uint16_t>(*port)};
    }
    Report(field, Quote(text) +
                      " is not an address and a port; write it like "
                      "198.51.100.7:443 or [2001:db8::7]:443");
    return {};
  }

  HttpProbe ReadHttp(const v1::HttpProbe& source, const std::string& path) {
    HttpProbe probe;
    probe.url = source.url();
    if (!source.address().empty()) {
      probe.address = TargetAt(path + ".address", source.address());
    }
    if (source.has_status()) probe.status = source.status();
    probe.text = source.text();
    return probe;
  }

  ArpProbe ReadArp(const std::string& text, const std::string& field) {
    if (text == kGateway) return {};
    if (const auto target = Address::Parse(text)) return {target};
    Report(field,
           Quote(text) + " is neither `gateway` nor an address on the link");
    return {Address()};
  }

  std::optional<Limits<Ratio>> ReadLoss(const v1::LossLimits& source) {
    if (!HasBoth(".loss", source)) return std::nullopt;
    return Limits<Ratio>{source.degraded().hundredths(),
                         source.recovered().hundredths()};
  }

  std::optional<Limits<std::chrono::milliseconds>> ReadLatency(
      const v1::LatencyLimits& source) {
    if (!HasBoth(".latency", source)) return std::nullopt;
    const std::chrono::milliseconds none{};
    return Limits<std::chrono::milliseconds>{
        Duration(".latency.degraded", source.degraded(), none),
        Duration(".latency.recovered", source.recovered(), none)};
  }

  // Half of a pair of limits is none.
  template <typename Message>
  bool HasBoth(const std::string& key, const Message& limits) {
    const char* const needed = "is needed: each limit goes with the other one";
    if (!limits.has_degraded()) Report(path_ + key + ".degraded", needed);
    if (!limits.has_recovered()) Report(path_ + key + ".recovered", needed);
    return limits.has_degraded() && limits.has_recovered();
  }

  std::string path_;
  std::vector<Violation>& faults_;
};

// One overload per kind of probe.
struct ProbeWriter {
  void operator()(const IcmpProbe& probe) const {
    to.set_icmp(probe.target.ToString());
  }
  void operator()(const TcpProbe& probe) const {
    to.set_tcp(HostAndPort(probe.target, probe.port));
  }
  void operator()(const DnsProbe& probe) const {
    to.mutable_dns()->set_server(probe.server.ToString());
    to.mutable_dns()->set_name(probe.name);
  }
  void operator()(const HttpProbe& probe) const {
    v1::HttpProbe& http = *to.mutable_http();
    http.set_url(probe.url);
    if (probe.address) http.set_address(probe.address->ToString());
    if (probe.status) http.set_status(*probe.status);
    http.set_text(probe.text);
  }
  void operator()(const ArpProbe& probe) const {
    to.set_arp(probe.target ? probe.target->ToString() : kGateway);
  }
  v1::Probe& to;
};

google::protobuf::Duration ToDuration(std::chrono::milliseconds duration) {
  return TimeUtil::MillisecondsToDuration(duration.count());
}

}  // namespace

Health HealthFromProto(const v1::Health& source, const std::string& path,
                       std::vector<Violation>& faults) {
  return HealthReader(path, faults).Read(source);
}

void HealthToProto(const Health& health, v1::Health& to) {
  for (const Probe& probe : health.probes) {
    std::visit(ProbeWriter{*to.add_probes()}, probe);
  }
  to.set_quorum(health.quorum);
  *to.mutable_interval() = ToDuration(health.interval);
  *to.mutable_timeout() = ToDuration(health.timeout);
  to.set_down(health.down);
  to.set_up(health.up);
  if (health.loss) {
    v1::LossLimits& loss = *to.mutable_loss();
    loss.mutable_degraded()->set_hundredths(health.loss->degraded);
    loss.mutable_recovered()->set_hundredths(health.loss->recovered);
  }
  if (health.latency) {
    v1::LatencyLimits& latency = *to.mutable_latency();
    *latency.mutable_degraded() = ToDuration(health.latency->degraded);
    *latency.mutable_recovered() = ToDuration(health.latency->recovered);
  }
}

}  // namespace uplinkd
