// uplinkctl: the client of uplinkd.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <span>

#include "cli/session.h"
#include "proto/arguments.h"

namespace uplinkd {
namespace {

void AddTlsOptions(CLI::App& program, ClientTls& tls) {
  const auto file = [&program](const char* flag, const char* variable,
                               std::string& value, const char* description) {
    program.add_option(flag, value, description)
        ->envname(variable)
        ->type_name("FILE");
  };
  file("--tls-ca", "UPLINKD_TLS_CA", tls.ca,
       "For tcp:// addresses: the authorities that vouch for the agent");
  file("--tls-certificate", "UPLINKD_TLS_CERTIFICATE", tls.certificate,
       "For tcp:// addresses: your certificate (PEM)");
  file("--tls-key", "UPLINKD_TLS_KEY", tls.key,
       "For tcp:// addresses: its private key");
}

void AddGlobalOptions(CLI::App& program, Session& session) {
  program.set_version_flag("--version", "uplinkctl " UPLINKD_VERSION);
  program.set_help_all_flag("--help-all", "Print the help of every verb");
  program
      .add_option("--address", session.address,
                  "Where the agent listens: unix:///PATH or tcp://HOST:PORT")
      ->envname("UPLINKD_ADDRESS")
      ->type_name("ADDRESS")
      ->capture_default_str();
  AddTlsOptions(program, session.tls);
  AddDurationOption(program, "--timeout", session.timeout,
                    "How long to wait for an answer");
  program
      .add_option_function<std::string>(
          "--color",
          [&session](const std::string& mode) {
            session.color = mode == "always"  ? ColorMode::kAlways
                            : mode == "never" ? ColorMode::kNever
                                              : ColorMode::kAuto;
          },
          "Colour; auto: on a terminal, unless NO_COLOR is set")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""))
      ->type_name("auto|always|never")
      ->default_str("auto");
}

int Main(int argc, char** argv) {
  CLI::App program(
      "Tells uplinkd how a router's uplinks are to be balanced, and how it "
      "goes.",
      "uplinkctl");
  Session session;
  Chosen chosen;
  AddGlobalOptions(program, session);
  AddOfflineVerbs(program, session, chosen);
  AddSpecVerbs(program, session, chosen);
  AddPlanVerb(program, session, chosen);
  AddConfirmVerbs(program, session, chosen);
  AddHistoryVerbs(program, session, chosen);
  AddStatusVerbs(program, session, chosen);
  AddTraceVerb(program, session, chosen);
  AddCleanupVerb(program, session, chosen);
  AddDrainVerbs(program, session, chosen);
  AddPauseVerbs(program, session, chosen);
  AddConnectionsVerb(program, session, chosen);
  AddEventsVerb(program, session, chosen);
  AddTopVerb(program, session, chosen);
  AddDoctorVerb(program, session, chosen);
  AddAboutVerbs(program, session, chosen);
  // The global options may stand after the verb, too.
  for (CLI::App* verb : program.get_subcommands({})) verb->fallthrough();
  program.require_subcommand(1);
  program.footer(
      "Start here:\n"
      "  uplinkctl doctor                     # is this host fit for it?\n"
      "  uplinkctl validate -f office.yaml    # is the spec right?\n"
      "  uplinkctl explain -f office.yaml     # what does it mean?\n"
      "  uplinkctl apply -f office.yaml       # do it\n"
      "  uplinkctl status                     # how is it?\n"
      "\"uplinkctl VERB --help\" has examples and exit codes.");
  try {
    const std::span<const char* const> arguments(
        argv, static_cast<std::size_t>(argc));
    program.parse(ArgumentStack(arguments.subspan(1)));
  } catch (const CLI::ParseError& error) {
    const int status = program.exit(error);
    return status == 0 ? 0 : static_cast<int>(ExitCode::kRefused);
  }
  return static_cast<int>(chosen());
}

}  // namespace
}  // namespace uplinkd

int main(int argc, char** argv) {
  // gRPC's own log lines mean nothing to a user; what matters is in the status.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  try {
    return uplinkd::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "uplinkctl: " << error.what() << '\n';
    return static_cast<int>(uplinkd::ExitCode::kRefused);
  }
}
