// drain and undrain: empty an uplink, and use it again.
#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <memory>
#include <string>

#include "cli/session.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

struct DrainOptions {
  std::string uplink;
  bool has_deadline = false;
  std::chrono::milliseconds deadline{};
};

ExitCode Drain(const DrainOptions& options, const Session& session) {
  const Screen screen = session.screen();
  v1::DrainRequest request;
  request.set_uplink(options.uplink);
  if (options.has_deadline) {
    *request.mutable_deadline() =
        TimeUtil::MillisecondsToDuration(options.deadline.count());
  }
  const auto response = session.client().Drain(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << options.uplink << " gets no new connections; ";
  if (response->has_deadline()) {
    screen.out() << "what is left at "
                 << TimeUtil::ToString(response->deadline()) << " is cut\n";
  } else {
    screen.out() << "those that it has end by themselves\n";
  }
  return ExitCode::kOk;
}

ExitCode Undrain(const std::string& uplink, const Session& session) {
  const Screen screen = session.screen();
  v1::UndrainRequest request;
  request.set_uplink(uplink);
  const auto response = session.client().Undrain(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << uplink << " is not drained any more\n";
  return ExitCode::kOk;
}

void AddDrain(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "drain", "Give an uplink no new connections, before work on its line");
  const auto options = std::make_shared<DrainOptions>();
  verb.add_option("UPLINK", options->uplink, "Its name in the spec")
      ->required();
  const CLI::Option* deadline =
      AddDurationOption(verb, "--deadline", options->deadline,
                        "Cut after this time what has not ended by itself, if "
                        "another uplink works")
          ->default_str("");
  verb.footer(
      "Its live connections go on. Connections that come in by it still do,\n"
      "and stay with it. Holds until \"undrain\", also across restarts of the\n"
      "agent and new specs. Again: with another deadline.\n"
      "\nExit: 0, 2 there is no such uplink, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl drain cable\n"
      "  uplinkctl drain cable --deadline 10m\n"
      "  watch -n1 uplinkctl connections --uplink cable");
  verb.callback([&session, &chosen, options, deadline] {
    options->has_deadline = deadline->count() > 0;
    chosen = [&session, options] { return Drain(*options, session); };
  });
}

void AddUndrain(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "undrain", "Give a drained uplink new connections again");
  const auto uplink = std::make_shared<std::string>();
  verb.add_option("UPLINK", *uplink, "Its name in the spec")->required();
  verb.footer(
      "Exit: 0 (also if it is not drained), 2 there is no such uplink, or the\n"
      "spec itself drains it, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl undrain cable");
  verb.callback([&session, &chosen, uplink] {
    chosen = [&session, uplink] { return Undrain(*uplink, session); };
  });
}

}  // namespace

void AddDrainVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddDrain(program, session, chosen);
  AddUndrain(program, session, chosen);
}

}  // namespace uplinkd
