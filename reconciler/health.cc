#include "reconciler/health.h"

#include <algorithm>
#include <charconv>

#include "reconciler/hex.h"

namespace uplinkd {
namespace {

constexpr std::size_t kMaxHostName = 253;  // RFC 1035, in text
constexpr std::size_t kMaxHostLabel = 63;
constexpr std::uint16_t kHttpsPort = 443;  // RFC 9110

bool IsLabelCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxHostLabel &&
         std::ranges::all_of(label, IsLabelCharacter);
}

bool IsPlainUrlCharacter(char c) {
  return c > ' ' && c < '\x7f';
}

// FNV-1a, folded: the same in every run and on every machine. Too short to tell
// much of the text.
std::uint32_t NumberOf(std::string_view text) {
  std::uint32_t number = 2166136261U;
  for (const char c : text) {
    number ^= static_cast<unsigned char>(c);
    number *= 16777619U;
  }
  return (number >> 16U) ^ (number & 0xffffU);
}

std::string WithoutQuery(const std::string& url) {
  const std::size_t query = url.find_first_of("?#");
  if (query == std::string::npos) return url;
  return url.substr(0, query) + "?" + Hex(NumberOf(url.substr(query)));
}

// One overload per kind of probe.
struct Name {
  std::string operator()(const IcmpProbe& probe) const {
    return "icmp " + probe.target.ToString();
  }
  std::string operator()(const TcpProbe& probe) const {
    return "tcp " + HostAndPort(probe.target, probe.port);
  }
  std::string operator()(const DnsProbe& probe) const {
    return "dns " + probe.name + " at " + probe.server.ToString();
  }
  std::string operator()(const HttpProbe& probe) const {
    const std::string name = "http " + WithoutQuery(probe.url);
    return probe.address ? name + " at " + probe.address->ToString() : name;
  }
  std::string operator()(const ArpProbe& probe) const {
    return "arp " + (probe.target ? probe.target->ToString() : "gateway");
  }
};

// One overload per kind of probe.
struct FamilyAsked {
  Family operator()(const IcmpProbe& probe) const {
    return probe.target.family();
  }
  Family operator()(const TcpProbe& probe) const {
    return probe.target.family();
  }
  Family operator()(const DnsProbe& probe) const {
    return probe.server.family();
  }
  Family operator()(const HttpProbe& probe) const {
    if (probe.address) return probe.address->family();
    const std::optional<HttpUrl> url = ParseHttpUrl(probe.url);
    const auto host = url ? Address::Parse(url->host) : std::nullopt;
    return host ? host->family() : Family::kIpv4;
  }
  Family operator()(const ArpProbe&) const { return Family::kIpv4; }
};

// The host that `authority` begins with, brackets and all.
std::string_view HostPart(std::string_view authority) {
  if (!authority.starts_with('['))
    return authority.substr(0, authority.find(':'));
  const std::size_t end = authority.find(']');
  return authority.substr(0, end == std::string_view::npos ? end : end + 1);
}

bool IsBracketed(std::string_view host) {
  return host.size() > 2 && host.starts_with('[') && host.ends_with(']');
}

bool IsIpv6(std::string_view text) {
  const auto address = Address::Parse(text);
  return address && address->family() == Family::kIpv6;
}

}  // namespace

std::string ProbeName(const Probe& probe) {
  return std::visit(Name{}, probe);
}

Family FamilyOf(const Probe& probe) {
  return std::visit(FamilyAsked{}, probe);
}

bool IsHostName(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxHostName) return false;
  while (true) {
    const std::size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::optional<HttpUrl> ParseHttpUrl(std::string_view url) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kSecure = "https://";
  const bool secure = url.starts_with(kSecure);
  if ((!secure && !url.starts_with(kPlain)) ||
      !std::ranges::all_of(url, IsPlainUrlCharacter)) {
    return std::nullopt;
  }
  url.remove_prefix(secure ? kSecure.size() : kPlain.size());
  const std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  const std::string_view host = HostPart(authority);
  const bool bracketed = IsBracketed(host);
  HttpUrl parts;
  if (secure) parts.port = kHttpsPort;
  parts.host = bracketed ? host.substr(1, host.size() - 2) : host;
  if (!(bracketed ? IsIpv6(parts.host) : IsHostName(parts.host))) {
    return std::nullopt;
  }
  const std::string_view rest = authority.substr(host.size());
  if (rest.empty()) return parts;
  if (!rest.starts_with(':')) return std::nullopt;
  const std::string_view port = rest.substr(1);
  const char* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, parts.port);
  if (error != std::errc() || stop != end || parts.port == 0) {
    return std::nullopt;
  }
  return parts;
}

std::chrono::milliseconds DefaultTimeout(std::chrono::milliseconds interval) {
  return std::min(std::chrono::milliseconds(1000), interval * 3 / 4);
}

bool KnowsLoss(const HealthReport& report) {
  return std::ranges::any_of(report.probes, [](const ProbeStanding& probe) {
    return probe.last.has_value();
  });
}

std::string_view HealthStateName(HealthState state) {
  switch (state) {
    case HealthState::kUnknown: return "Unknown";
    case HealthState::kUp: return "Up";
    case HealthState::kDegraded: return "Degraded";
    case HealthState::kDown: return "Down";
  }
  return "";
}

}  // namespace uplinkd
