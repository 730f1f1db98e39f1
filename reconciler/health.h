// Health: what a spec says about probing an uplink, and what became of it.
//
// The values only. HealthTracker (health_tracker.h) makes the verdict of the
// results; the agent makes the results; Compile() reads the verdict. Pure.
#ifndef UPLINKD_RECONCILER_HEALTH_H_
#define UPLINKD_RECONCILER_HEALTH_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reconciler/ip.h"

namespace uplinkd {

inline constexpr std::size_t kMaxProbes = 16;  // of one uplink

// ---- what is asked for ----

// An ICMP echo request.
struct IcmpProbe {
  Address target;
  friend auto operator<=>(const IcmpProbe&, const IcmpProbe&) = default;
};

// A TCP connection, closed as soon as it stands.
struct TcpProbe {
  Address target;
  std::uint16_t port = 0;
  friend auto operator<=>(const TcpProbe&, const TcpProbe&) = default;
};

// A query for the IPv4 addresses of `name`, answered with one at least.
struct DnsProbe {
  Address server;
  std::string name;
  friend auto operator<=>(const DnsProbe&, const DnsProbe&) = default;
};

// A GET. Redirects are not followed: they are an answer with their own status.
struct HttpProbe {
  std::string url;                      // see ParseHttpUrl()
  std::optional<Address> address;       // none: the URL's host is one
  std::optional<std::uint32_t> status;  // none: any of 200 to 299
  std::string text;                     // that the body holds; "" for any body
  friend auto operator<=>(const HttpProbe&, const HttpProbe&) = default;
};

// An ARP request.
struct ArpProbe {
  std::optional<Address> target;  // none: the uplink's gateway
  friend auto operator<=>(const ArpProbe&, const ArpProbe&) = default;
};

using Probe = std::variant<IcmpProbe, TcpProbe, DnsProbe, HttpProbe, ArpProbe>;

// Its name in reasons, status and metrics: "tcp 198.51.100.7:443". What follows
// a '?' in a URL may be a secret: the name has a number made of it instead, by
// which two of them differ.
std::string ProbeName(const Probe& probe);

// By which family of its uplink it asks: that of its target.
Family FamilyOf(const Probe& probe);

// The parts of a URL that an HTTP probe can ask for:
// http://HOST[:PORT][/PATH] or https://, HOST being a name, an IPv4 address, or
// one of IPv6 in brackets.
struct HttpUrl {
  std::string host;         // without brackets
  std::uint16_t port = 80;  // https: 443
  friend auto operator<=>(const HttpUrl&, const HttpUrl&) = default;
};
std::optional<HttpUrl> ParseHttpUrl(std::string_view url);

// Whether `name` can be asked of a DNS server: labels of 1 to 63 letters,
// digits, '-' and '_', 253 characters in all. A dot may end it.
bool IsHostName(std::string_view name);

// A part of a whole in hundredths of a percent: 2000 are 20%.
using Ratio = std::uint32_t;
inline constexpr Ratio kWhole = 10000;

// Where a value begins to be bad, and where it is good again. What lies
// between them changes nothing.
template <typename Value>
struct Limits {
  Value degraded{};   // this and more
  Value recovered{};  // this and less; smaller than `degraded`
  friend auto operator<=>(const Limits&, const Limits&) = default;
};

struct Health {
  std::vector<Probe> probes;
  std::uint32_t quorum = 1;  // probes that must answer in a round
  std::chrono::milliseconds interval{1000};  // from round to round
  std::chrono::milliseconds timeout{750};    // see DefaultTimeout()
  std::uint32_t down = 2;  // failed rounds in a row until down
  std::uint32_t up = 3;    // good ones in a row until up again
  std::optional<Limits<Ratio>> loss;
  std::optional<Limits<std::chrono::milliseconds>> latency;

  friend auto operator<=>(const Health&, const Health&) = default;
};

// How long probes are waited for where the spec does not say: 1 s, or three
// quarters of the interval if that is less. A line that dies right after an
// answer is found out after one interval, `down` - 1 further ones and a
// timeout: 2.75 s with all defaults.
std::chrono::milliseconds DefaultTimeout(std::chrono::milliseconds interval);

// ---- what became of it ----

enum class HealthState {
  kUnknown,  // no verdict yet; counts as up
  kUp,
  kDegraded,  // it works, but badly: second choice within its tier
  kDown,      // gets no new connections
};
std::string_view HealthStateName(HealthState state);  // "Up"

struct HealthVerdict {
  HealthState state = HealthState::kUnknown;
  std::string reason;  // "" when unknown or up

  friend auto operator<=>(const HealthVerdict&, const HealthVerdict&) = default;
};

// How one probe of a round ended.
struct ProbeResult {
  bool answered = false;
  std::chrono::nanoseconds latency{};  // if it answered
  std::string fault;  // if not: "no answer within 750ms", "connection refused"

  friend auto operator<=>(const ProbeResult&, const ProbeResult&) = default;
};

struct ProbeStanding {
  std::string name;                 // ProbeName()
  std::optional<ProbeResult> last;  // none: no round has ended yet
  Ratio loss = 0;  // over the window of rounds; nothing without `last`
  // Rounds since this health is asked for, by whether it answered.
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;

  friend auto operator<=>(const ProbeStanding&, const ProbeStanding&) = default;
};

// All that is known of an uplink's health.
struct HealthReport {
  HealthVerdict verdict;
  std::vector<ProbeStanding> probes;                // in the order of the spec
  Ratio loss = 0;                                   // see KnowsLoss()
  std::optional<std::chrono::nanoseconds> latency;  // smoothed
  // The median of what the last rounds measured of the way, see RoundTripOf().
  // None: there were too few of them since the path is this one.
  std::optional<std::chrono::nanoseconds> round_trip;

  friend auto operator<=>(const HealthReport&, const HealthReport&) = default;
};

// Whether a round has ended since the path is this one: before, nothing is lost
// since nothing was asked.
bool KnowsLoss(const HealthReport& report);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_HEALTH_H_
