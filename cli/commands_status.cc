// status and watch: how it goes.
#include <google/protobuf/util/time_util.h>

#include <memory>

#include "cli/message_text.h"
#include "cli/session.h"
#include "cli/status_text.h"

namespace uplinkd {
namespace {

ExitCode Status(Format format, const Session& session) {
  const Screen screen = session.screen();
  const auto response = session.client().Status();
  if (!response) return PrintError(response.error(), nullptr, screen);
  switch (format) {
    case Format::kTable:
      PrintStatus(response->status(),
                  google::protobuf::util::TimeUtil::GetCurrentTime(), screen);
      break;
    case Format::kYaml:
      screen.out() << AsItIs{WriteYaml(response->status())};
      break;
    case Format::kJson:
      screen.out() << AsItIs{
          WriteJson(response->status(), JsonStyle::kIndented)};
      break;
  }
  return ExitCode::kOk;
}

void AddStatus(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "status", "Show the conditions and the uplinks, with their traffic");
  const auto format = std::make_shared<Format>();
  AddFormatOption(verb, *format, {"table", "yaml", "json"});
  verb.footer(
      "Exit: 0, or 3 no agent. What a condition means and what to do about it\n"
      "is in docs/operations.md (/usr/share/doc/uplinkd/operations.md).\n"
      "\nExamples:\n"
      "  uplinkctl status\n"
      "  watch -n1 uplinkctl status\n"
      "  uplinkctl status -o json | jq '.uplinks[] | {name, phase}'");
  verb.callback([&session, &chosen, format] {
    chosen = [&session, format] { return Status(*format, session); };
  });
}

ExitCode Watch(Format format, const Session& session) {
  const Screen screen = session.screen();
  Client client = session.client();
  const auto end = client.Watch([&](const v1::WatchResponse& response) {
    switch (format) {
      case Format::kTable: PrintEvent(response, screen); break;
      case Format::kYaml:
        screen.out() << "---\n" << AsItIs{WriteYaml(response)} << std::flush;
        break;
      case Format::kJson:
        screen.out() << AsItIs{WriteJson(response, JsonStyle::kOneLine)}
                     << std::flush;
        break;
    }
  });
  if (!end) return PrintError(end.error(), nullptr, screen);
  return ExitCode::kOk;
}

void AddWatch(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "watch", "Print every pass that changed or found something");
  const auto format = std::make_shared<Format>();
  AddFormatOption(verb, *format, {"table", "yaml", "json"});
  verb.footer(
      "First the present state, then one line per event (one JSON object with\n"
      "-o json, one YAML document with -o yaml), until Ctrl-C.\n"
      "\nExit: 0 after Ctrl-C, 3 no agent, or the agent stopped\n"
      "\nExamples:\n"
      "  uplinkctl watch\n"
      "  uplinkctl watch -o json | jq -c '.event.plan[]?'");
  verb.callback([&session, &chosen, format] {
    chosen = [&session, format] { return Watch(*format, session); };
  });
}

}  // namespace

void AddStatusVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddStatus(program, session, chosen);
  AddWatch(program, session, chosen);
}

}  // namespace uplinkd
