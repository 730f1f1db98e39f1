#include "reconciler/health.h"

#include <algorithm>
#include <charconv>

namespace uplinkd {
namespace {

constexpr std::size_t kMaxHostName = 253;  // RFC 1035, in text
constexpr std::size_t kMaxHostLabel = 63;

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

// One overload per kind of probe.
struct Name {
  std::string operator()(const IcmpProbe& probe) const {
    return "icmp " + probe.target.ToString();
  }
  std::string operator()(const TcpProbe& probe) const {
    return "tcp " + probe.target.ToString() + ":" + std::to_string(probe.port);
  }
  std::string operator()(const DnsProbe& probe) const {
    return "dns " + probe.name + " at " + probe.server.ToString();
  }
  std::string operator()(const HttpProbe& probe) const {
    if (!probe.address) return "http " + probe.url;
    return "http " + probe.url + " at " + probe.address->ToString();
  }
  std::string operator()(const ArpProbe& probe) const {
    return "arp " + (probe.target ? probe.target->ToString() : "gateway");
  }
};

}  // namespace

std::string ProbeName(const Probe& probe) {
  return std::visit(Name{}, probe);
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
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme) ||
      !std::ranges::all_of(url, IsPlainUrlCharacter)) {
    return std::nullopt;
  }
  url.remove_prefix(kScheme.size());
  const std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  const std::size_t colon = authority.find(':');
  HttpUrl parts;
  parts.host = authority.substr(0, colon);
  if (!IsHostName(parts.host)) return std::nullopt;
  if (colon == std::string_view::npos) return parts;
  const std::string_view port = authority.substr(colon + 1);
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
