// pause and resume: keep the agent's hands off the kernel for a while.
#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <memory>
#include <string>

#include "cli/session.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

struct PauseOptions {
  std::chrono::milliseconds duration{std::chrono::minutes(10)};
  std::string reason;
};

ExitCode Pause(const PauseOptions& options, const Session& session) {
  const Screen screen = session.screen();
  v1::PauseRequest request;
  *request.mutable_duration() =
      TimeUtil::MillisecondsToDuration(options.duration.count());
  request.set_reason(options.reason);
  const auto response = session.client().Pause(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << "paused until " << TimeUtil::ToString(response->until())
               << "; \"uplinkctl resume\" ends that earlier\n";
  return ExitCode::kOk;
}

ExitCode Resume(const Session& session) {
  const Screen screen = session.screen();
  const auto response = session.client().Resume();
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << (response->was_paused() ? "the agent follows its spec again\n"
                                          : "the agent was not paused\n");
  return ExitCode::kOk;
}

void AddPause(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "pause", "Let the agent look, but change nothing, for a while");
  const auto options = std::make_shared<PauseOptions>();
  AddDurationOption(verb, "--for", options->duration,
                    "How long, 24h at most; then it goes on by itself")
      ->default_str("10m");
  verb.add_option("--reason", options->reason, "Why, for whoever looks next")
      ->type_name("TEXT");
  verb.footer(
      "For work by hand on routes, rules or chains. Nothing is repaired and "
      "no\n"
      "connection is cut, even if an uplink fails; what a repair would do is "
      "in\n"
      "\"uplinkctl diff\". What is there goes on working. A pause outlives a\n"
      "restart of the agent, but no reboot: after that nothing of ours is "
      "there\n"
      "to be left alone. Again: another time limit. Meanwhile apply, drain "
      "and\n"
      "cleanup are refused; a spec file that changes is followed later. "
      "Refused\n"
      "itself while a spec waits to be confirmed: confirm or cancel it first.\n"
      "\nExit: 0, 2 refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl pause --for 30m --reason \"a new modem on cable\"\n"
      "  uplinkctl status");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Pause(*options, session); };
  });
}

void AddResume(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "resume", "End a pause: follow the spec again, now");
  verb.footer(
      "Exit: 0 (also if it was not paused), 2 refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl diff      # what it will change\n"
      "  uplinkctl resume");
  verb.callback(
      [&session, &chosen] { chosen = [&session] { return Resume(session); }; });
}

}  // namespace

void AddPauseVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddPause(program, session, chosen);
  AddResume(program, session, chosen);
}

}  // namespace uplinkd
