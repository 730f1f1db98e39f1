// What the kernel says by netlink: any datagram.
#include <netlink/msg.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "reconciler/linux/connection_codec.h"
#include "reconciler/linux/conntrack_entry.h"
#include "reconciler/linux/default_route.h"
#include "reconciler/linux/link.h"
#include "reconciler/linux/link_codec.h"
#include "reconciler/linux/link_news.h"
#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/rule.h"
#include "reconciler/linux/statistics.h"
#include "reconciler/render.h"
#include "tests/fuzz/require.h"

namespace uplinkd {
namespace {

using testing::Require;

// Of a namespace with a few links. Beyond them the machine itself is asked, and
// has none.
LinkNames Names() {
  static const std::unique_ptr<NlSocket> socket =
      *NlSocket::Open(NETLINK_ROUTE);
  return LinkNames(*socket, {{1, "lo"},
                             {2, "far1"},
                             {3, "wan1"},
                             {4, "far2"},
                             {5, "wan2"},
                             {6, "lan0"}});
}

// Whether the kernel could have such a route: what it tells of one that we
// wrote comes back as it was.
bool IsWhole(const Route& route) {
  const bool lone_leg = route.next_hops.size() == 1 &&
                        (route.next_hops.front().weight != 1 ||
                         (route.type != RouteType::kUnicast &&
                          route.key.destination.family() == Family::kIpv6));
  return route.extra.empty() && route.type != RouteType::kOther && !lone_leg;
}

void RequireGoodRoute(const Route& route) {
  (void)RenderRoute(route);
  if (!IsWhole(route)) return;
  LinkNames names = Names();
  const auto request = EncodeRoute(RouteOperation::kCreate, route, names);
  Require(request && request->header() != nullptr,
          "a route that was read can be written", RenderRoute(route));
  Require(DecodeRoute(request->header(), names) == route,
          "a route that was written is read as the same one",
          RenderRoute(route));
}

bool IsWhole(const PolicyRule& rule) {
  constexpr std::size_t kLongestLinkName = 15;
  return rule.extra.empty() && rule.action == RuleAction::kLookup &&
         rule.in_interface.size() <= kLongestLinkName &&
         (!rule.source || rule.source->length() > 0);
}

void RequireGoodRule(const PolicyRule& rule) {
  (void)RenderRule(rule);
  if (!IsWhole(rule)) return;
  const NlRequest request = EncodeRule(RuleOperation::kCreate, rule);
  Require(request.header() != nullptr, "a rule that was read can be written",
          RenderRule(rule));
  Require(DecodeRule(request.header()) == rule,
          "a rule that was written is read as the same one", RenderRule(rule));
}

// All that anything here reads out of one message.
struct Reading {
  std::optional<Route> route;
  PolicyRule rule;
  Link link;
  std::optional<NumberedAddress> address;
  int rp_filter = 0;
  std::optional<Address> source;
  std::optional<Address> source6;
  std::optional<Connection> connection;
  bool busy = false;
  bool unanswered = false;
  std::optional<std::pair<int, std::uint64_t>> received;
  bool news = false;
  std::optional<std::string> answer;
  std::optional<std::string> done;

  friend bool operator==(const Reading&, const Reading&) = default;
};

std::optional<std::string> Words(const std::optional<Error>& error) {
  return error ? std::optional(error->message) : std::nullopt;
}

Reading Read(nlmsghdr* message, LinkNews& news) {
  LinkNames names = Names();
  Reading reading;
  reading.route = DecodeRoute(message, names);
  reading.rule = DecodeRule(message);
  reading.link = DecodeLink(message);
  reading.address = DecodeAddressOfLink(message);
  reading.rp_filter = DecodeRpFilterOfAll(message);
  reading.source = DecodeSourceInMain(message, Family::kIpv4);
  reading.source6 = DecodeSourceInMain(message, Family::kIpv6);
  reading.connection = DecodeConnection(message);
  const ConntrackEntry entry = DecodeConntrackEntry(message);
  reading.busy = IsBusy(entry, {30, 30, 120});
  reading.unanswered = IsUnanswered(entry);
  if (const auto counters = DecodeLinkCounters(message)) {
    reading.received = {counters->first, counters->second.receive_bytes};
  }
  reading.news = news.Matters(message);
  reading.answer = Words(DecodeAnswer(message));
  reading.done = Words(DecodeDone(message));
  return reading;
}

// All readings of a datagram with `tail` behind its end.
std::vector<Reading> ReadAll(std::span<const std::byte> bytes,
                             std::size_t tail_size, std::byte tail) {
  std::vector<std::byte> buffer(bytes.begin(), bytes.end());
  buffer.insert(buffer.end(), tail_size, tail);
  std::vector<Reading> readings;
  LinkNews news;
  ForEachMessage(std::span(buffer).first(bytes.size()), [&](nlmsghdr* message) {
    readings.push_back(Read(message, news));
  });
  return readings;
}

}  // namespace
}  // namespace uplinkd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace uplinkd;  // NOLINT(google-build-using-namespace)
  const auto bytes = std::as_bytes(std::span(data, size));
  // Right at the end of its memory, for what we read; and with something
  // behind it, for what libnl reads, which is not instrumented.
  const std::vector<Reading> readings = ReadAll(bytes, 0, std::byte{0});
  constexpr std::size_t kTail = 64;
  testing::Require(ReadAll(bytes, kTail, std::byte{0x00}) == readings &&
                       ReadAll(bytes, kTail, std::byte{0xff}) == readings,
                   "what is behind a datagram is not read");
  for (const Reading& reading : readings) {
    if (reading.route) RequireGoodRoute(*reading.route);
    RequireGoodRule(reading.rule);
  }
  return 0;
}
