// trace: what the kernel would do with a new connection.
#include <algorithm>
#include <memory>
#include <string>

#include "cli/message_text.h"
#include "cli/session.h"
#include "cli/table.h"
#include "proto/text_check.h"

namespace uplinkd {
namespace {

constexpr std::size_t kPlaceWidth = 30;

void PrintSteps(const google::protobuf::RepeatedPtrField<v1::TraceStep>& steps,
                const std::string& indent, const Screen& screen) {
  for (const v1::TraceStep& step : steps) {
    std::string place = VisibleText(step.table() + ' ' + step.chain() + ' ' +
                                    std::to_string(step.number()));
    place.resize(std::max(place.size(), kPlaceWidth), ' ');
    screen.out() << indent << place << ' '
                 << screen.Paint(Color::kDim, step.rule()) << '\n';
  }
}

std::string WayName(const v1::TraceWay& way) {
  return way.uplink().empty() ? "no uplink of ours" : way.uplink();
}

void PrintWay(const v1::TraceWay& way, bool sure, const Screen& screen) {
  screen.out() << "  "
               << screen.Paint(
                      way.refusal().empty() ? Color::kBold : Color::kRed,
                      WayName(way));
  if (!sure && way.has_chance()) {
    screen.out() << ", " << HumanShare(way.chance());
  }
  screen.out() << ": " << (way.refusal().empty() ? way.route() : way.refusal())
               << '\n';
  PrintSteps(way.steps(), "    ", screen);
}

void PrintTrace(const v1::TraceResponse& response, const Screen& screen) {
  PrintSteps(response.steps(), "", screen);
  const bool sure = response.decided_by().empty();
  if (sure) {
    screen.out() << "it gets\n";
  } else {
    screen.out() << "decided " << response.decided_by() << " between\n";
  }
  for (const v1::TraceWay& way : response.ways()) {
    PrintWay(way, sure, screen);
  }
}

ExitCode RunTrace(const v1::TraceRequest& request, Format format,
                  const Session& session) {
  const Screen screen = session.screen();
  const auto response = session.client().Trace(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  switch (format) {
    case Format::kTable: PrintTrace(*response, screen); break;
    case Format::kYaml: screen.out() << AsItIs{WriteYaml(*response)}; break;
    case Format::kJson:
      screen.out() << AsItIs{WriteJson(*response, JsonStyle::kIndented)};
      break;
  }
  return ExitCode::kOk;
}

// An option whose value goes to a field of the request.
template <typename Value>
void AddField(CLI::App& verb, const std::string& flag, const std::string& type,
              const std::string& description, v1::TraceRequest& request,
              void (*set)(v1::TraceRequest&, Value)) {
  verb.add_option_function<Value>(
          flag, [&request, set](const Value& value) { set(request, value); },
          description)
      ->type_name(type);
}

void AddFlowOptions(CLI::App& verb, v1::TraceRequest& request) {
  using Request = v1::TraceRequest;
  AddField<std::string>(
      verb, "--from", "ADDRESS",
      "Its source; needed with --in, else the router's own choice", request,
      [](Request& r, std::string value) { r.set_source(value); });
  AddField<std::string>(
      verb, "--proto", "PROTOCOL", "tcp, udp ... [tcp]", request,
      [](Request& r, std::string value) { r.set_protocol(value); });
  AddField<std::uint32_t>(
      verb, "--sport", "PORT", "Its source port", request,
      [](Request& r, std::uint32_t value) { r.set_source_port(value); });
  AddField<std::uint32_t>(
      verb, "--dport", "PORT", "Its destination port", request,
      [](Request& r, std::uint32_t value) { r.set_destination_port(value); });
  AddField<std::string>(
      verb, "--in", "LINK",
      "The link that it comes in by; left out, the router opens it", request,
      [](Request& r, std::string value) { r.set_interface(value); });
  AddField<std::string>(
      verb, "--dscp", "DSCP", "ef, af41 ..., or a number", request,
      [](Request& r, std::string value) { r.set_dscp(value); });
  AddField<std::string>(
      verb, "--mac", "ADDRESS", "The hardware address that it comes from",
      request, [](Request& r, std::string value) { r.set_source_mac(value); });
  AddField<std::uint32_t>(
      verb, "--uid", "UID", "Of the program that opens it", request,
      [](Request& r, std::uint32_t value) { r.set_uid(value); });
  AddField<std::uint32_t>(
      verb, "--mark", "MARK", "Set by another program before ours", request,
      [](Request& r, std::uint32_t value) { r.set_mark(value); });
}

}  // namespace

void AddTraceVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "trace", "Show which uplink a new connection would get, and why");
  const auto request = std::make_shared<v1::TraceRequest>();
  const auto format = std::make_shared<Format>();
  verb.add_option_function<std::string>(
          "--to",
          [request](const std::string& value) {
            request->set_destination(value);
          },
          "Its destination")
      ->required()
      ->type_name("ADDRESS");
  AddFlowOptions(verb, *request);
  AddFormatOption(verb, *format, {"table", "yaml", "json"});
  verb.footer(
      "Answered from the rules and routes that are in the kernel now, not "
      "from\nthe spec: each rule that the first packet would meet and that "
      "holds for it,\nthen the uplinks that it can get, with the kernel's "
      "route for each. Rules of\nother programs that stand in front of ours "
      "are not looked at. Sends nothing.\n"
      "\nExit: 0 answered, 2 the question makes no sense, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl trace --in lan0 --from 192.168.10.7 --to 192.0.2.80 "
      "--dport 443\n"
      "  uplinkctl trace --to 192.0.2.53 --proto udp --dport 53   # the "
      "router's own");
  verb.callback([&session, &chosen, request, format] {
    chosen = [&session, request, format] {
      return RunTrace(*request, *format, session);
    };
  });
}

}  // namespace uplinkd
