#include "agent/tracer.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/convert_values.h"
#include "proto/packet_words.h"
#include "reconciler/names.h"
#include "reconciler/render.h"

namespace uplinkd {
namespace {

tl::unexpected<Error> Nonsense(const std::string& field,
                               const std::string& words) {
  return Fail(ErrorCode::kInvalidArgument, field + ": " + words);
}

Result<Address> AddressIn(const std::string& field, const std::string& text) {
  std::vector<Violation> faults;
  const std::optional<Address> address = ReadAddress(field, text, faults);
  if (!address) return Nonsense(field, faults.front().message);
  return *address;
}

Result<std::uint16_t> ReadPort(const std::string& field, std::uint32_t port) {
  constexpr std::uint32_t kMaxPort = 65535;
  if (port <= kMaxPort) return static_cast<std::uint16_t>(port);
  return Nonsense(field, std::to_string(port) + " is not a port");
}

// Reads a word into `value`, unless there is none. Its fault, else nothing.
template <typename Value>
Result<void> ReadWord(const std::string& field, const std::string& text,
                      Parsed<std::decay_t<Value>> (*parse)(const std::string&),
                      Value& value) {
  if (text.empty()) return {};
  const auto parsed = parse(text);
  if (!parsed) return Nonsense(field, parsed.error());
  value = *parsed;
  return {};
}

const XtTableState& TableIn(const State& state, XtTable table) {
  static const XtTableState kNothing;
  const auto found = state.tables.find(table);
  return found == state.tables.end() ? kNothing : *found->second;
}

void AddSteps(XtTable table, const std::vector<TraceStep>& steps,
              google::protobuf::RepeatedPtrField<v1::TraceStep>* to) {
  for (const TraceStep& step : steps) {
    v1::TraceStep& line = *to->Add();
    line.set_table(std::string(XtTableTitle(table)));
    line.set_chain(step.chain);
    line.set_number(static_cast<std::uint32_t>(step.number));
    line.set_rule(step.rule);
  }
}

std::string UplinkOf(std::uint32_t mark, const Spec* spec) {
  if (spec == nullptr) return "";
  for (const Uplink& uplink : spec->uplinks) {
    const Mark fate = MarkOf(*spec, uplink.id);
    if ((mark & fate.mask) == fate.value) return uplink.name;
  }
  return "";
}

v1::TraceWay WayOf(const TraceOutcome& outcome, Flow flow, const Spec* spec,
                   const State& state, Host& host) {
  v1::TraceWay way;
  way.set_uplink(UplinkOf(outcome.mark, spec));
  way.set_mark(outcome.mark);
  if (outcome.chance) way.set_chance(*outcome.chance);
  const Result<Route> route = host.LookUpRoute(flow, outcome.mark);
  if (!route) {
    way.set_refusal(route.error().message);
    return way;
  }
  way.set_route(RenderRoute(*route));
  if (route->next_hops.empty()) return way;
  flow.in_interface.clear();
  flow.out_interface = route->next_hops.front().link;
  flow.mark = outcome.mark;
  // A fate was saved; a last resort never is.
  if (!way.uplink().empty()) flow.connmark = outcome.mark & spec->mark_mask;
  const XtTable table = NatOf(flow.destination.family());
  const Trace nat =
      TracePacket(TableIn(state, table), XtHook::kPostrouting, flow);
  AddSteps(table, nat.steps, way.mutable_steps());
  return way;
}

}  // namespace

Result<Flow> FlowOf(const v1::TraceRequest& request) {
  Flow flow;
  const Result<Address> destination =
      AddressIn("destination", request.destination());
  if (!destination) return tl::unexpected(destination.error());
  flow.destination = *destination;
  flow.in_interface = request.interface();
  if (!request.source().empty()) {
    const Result<Address> source = AddressIn("source", request.source());
    if (!source) return tl::unexpected(source.error());
    if (source->family() != destination->family()) {
      return Nonsense("source", source->ToString() + " is " +
                                    FamilyName(source->family()) +
                                    ", the destination is not");
    }
    flow.source = *source;
  } else if (!flow.in_interface.empty()) {
    return Nonsense("source",
                    "is needed for a connection that comes in by an interface");
  }
  const auto source_port = ReadPort("source port", request.source_port());
  if (!source_port) return tl::unexpected(source_port.error());
  flow.source_port = *source_port;
  const auto port = ReadPort("destination port", request.destination_port());
  if (!port) return tl::unexpected(port.error());
  flow.destination_port = *port;
  if (auto read = ReadWord("protocol", request.protocol(), ParseProtocol,
                           flow.protocol);
      !read) {
    return tl::unexpected(read.error());
  }
  if (flow.protocol == kIcmp && flow.destination.family() == Family::kIpv6) {
    flow.protocol = kIcmpv6;
  }
  if (auto read = ReadWord("dscp", request.dscp(), ParseDscp, flow.dscp);
      !read) {
    return tl::unexpected(read.error());
  }
  if (!request.source_mac().empty()) {
    const auto mac = ParseMac(request.source_mac());
    if (!mac) return Nonsense("source mac", mac.error());
    flow.source_mac = *mac;
  }
  flow.uid = request.uid();
  flow.mark = request.mark();
  return flow;
}

Result<v1::TraceResponse> AnswerTrace(Flow flow, const Spec* spec, Host& host) {
  const Family family = flow.destination.family();
  const bool ipv6 = family == Family::kIpv6 || (spec && HasIpv6(*spec));
  const Result<State> state =
      host.kernel().Observe({.tables = {}, .sweep = false, .ipv6 = ipv6});
  if (!state) return tl::unexpected(state.error());
  const bool own = flow.in_interface.empty();
  if (own) {
    // The first routing gives it a source and a link; OUTPUT sees both.
    const Result<Route> first = host.LookUpRoute(flow, flow.mark);
    if (!first) return tl::unexpected(first.error());
    if (flow.source.IsUnspecified() && first->preferred_source) {
      flow.source = *first->preferred_source;
    }
    if (!first->next_hops.empty()) {
      flow.out_interface = first->next_hops.front().link;
    }
  }
  const XtTable table = MangleOf(family);
  const Trace trace =
      TracePacket(TableIn(*state, table),
                  own ? XtHook::kOutput : XtHook::kPrerouting, flow);
  v1::TraceResponse response;
  AddSteps(table, trace.steps, response.mutable_steps());
  response.set_decided_by(trace.decided_by);
  for (const TraceOutcome& outcome : trace.outcomes) {
    *response.add_ways() = WayOf(outcome, flow, spec, *state, host);
  }
  return response;
}

}  // namespace uplinkd
