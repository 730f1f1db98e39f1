// connections: what the uplinks carry now, and for whom.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "cli/message_text.h"
#include "cli/session.h"
#include "cli/table.h"

namespace uplinkd {
namespace {

constexpr std::uint32_t kUsualTop = 10;

struct ConnectionsOptions {
  std::string uplink;
  std::uint32_t top = kUsualTop;
  Format format = Format::kTable;
};

template <typename Message>
Cell BytesOf(const Message& message) {
  return {message.has_bytes() ? HumanBytes(static_cast<double>(message.bytes()))
                              : "-"};
}

// Whether some connections, but none of their bytes, are known.
bool LacksBytes(const v1::ConnectionsResponse& response) {
  const auto& uplinks = response.uplinks();
  const bool any = std::any_of(uplinks.begin(), uplinks.end(),
                               [](const v1::UplinkConnections& uplink) {
                                 return uplink.connections() > 0;
                               });
  return any && std::none_of(uplinks.begin(), uplinks.end(),
                             [](const v1::UplinkConnections& uplink) {
                               return uplink.has_bytes();
                             });
}

void PrintConnections(const v1::ConnectionsResponse& response,
                      const Screen& screen) {
  Table uplinks({"UPLINK", "CONNECTIONS", "UNREPLIED", "BYTES"});
  for (const v1::UplinkConnections& uplink : response.uplinks()) {
    uplinks.AddRow({{uplink.uplink()},
                    {std::to_string(uplink.connections())},
                    {std::to_string(uplink.unreplied())},
                    BytesOf(uplink)});
  }
  uplinks.Print(screen);
  if (!response.talkers().empty()) {
    Table talkers({"SOURCE", "CONNECTIONS", "BYTES"});
    for (const v1::Talker& talker : response.talkers()) {
      talkers.AddRow({{talker.source()},
                      {std::to_string(talker.connections())},
                      BytesOf(talker)});
    }
    screen.out() << '\n';
    talkers.Print(screen);
  }
  if (LacksBytes(response)) {
    screen.err() << "bytes are not known; the kernel counts those of new "
                    "connections after \"sysctl -w "
                    "net.netfilter.nf_conntrack_acct=1\"\n";
  }
}

ExitCode Connections(const ConnectionsOptions& options,
                     const Session& session) {
  const Screen screen = session.screen();
  v1::ConnectionsRequest request;
  request.set_uplink(options.uplink);
  request.set_top(options.top);
  const auto response = session.client().Connections(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  switch (options.format) {
    case Format::kTable: PrintConnections(*response, screen); break;
    case Format::kYaml: screen.out() << AsItIs{WriteYaml(*response)}; break;
    case Format::kJson:
      screen.out() << AsItIs{WriteJson(*response, JsonStyle::kIndented)};
      break;
  }
  return ExitCode::kOk;
}

}  // namespace

void AddConnectionsVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "connections",
      "Show the live connections of the uplinks, and who has "
      "them");
  const auto options = std::make_shared<ConnectionsOptions>();
  verb.add_option("--uplink", options->uplink, "Of this one only")
      ->type_name("UPLINK");
  verb.add_option("--top", options->top,
                  "How many source addresses to show, those with the most "
                  "bytes (or connections) first")
      ->type_name("N")
      ->capture_default_str();
  AddFormatOption(verb, options->format, {"table", "yaml", "json"});
  verb.footer(
      "As the kernel tracks them at this moment. Unreplied ones have got no\n"
      "answer so far: many of them on one uplink say that its line is dead.\n"
      "Bytes are of live connections, in both directions.\n"
      "\nExit: 0, 2 there is no such uplink or no spec, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl connections\n"
      "  uplinkctl connections --uplink cable --top 3\n"
      "  uplinkctl connections -o json | jq '.talkers[0].source'");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Connections(*options, session); };
  });
}

}  // namespace uplinkd
