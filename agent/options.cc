#include "agent/options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "proto/arguments.h"
#include "reconciler/result.h"

namespace uplinkd {
namespace {

constexpr const char* kDescription =
    R"(uplinkd keeps this router's uplinks balanced from one spec.

It compares the spec with the kernel's routes, ip rules and iptables chains and
mends what differs, for as long as it runs. It writes nothing before it has a
spec: from --spec, from the last run, or from `uplinkctl apply`.)";

constexpr const char* kFooter = R"(
Examples:
  uplinkd                                  serve; follow the last accepted spec
  uplinkd --spec /etc/uplinkd/router.yaml  follow a file, as git leaves it
  uplinkctl validate -f router.yaml        check a spec, offline
  uplinkctl apply -f router.yaml           hand it to the running agent
  uplinkctl status

Over TCP, with mutual TLS:
  uplinkd --listen unix:///run/uplinkd/uplinkd.sock \
      --listen tcp://192.0.2.1:9870 --tls-certificate router.pem \
      --tls-key router.key --tls-client-ca ca.pem --roles roles.yaml
  with roles.yaml:
      roles: {ops.example.net: operator, graphs.example.net: reader}

Files:
  /run/uplinkd/uplinkd.sock       the service, for uplinkctl
  /var/lib/uplinkd/spec.json      the last accepted spec and the uplinks' ids
  /var/lib/uplinkd/history.json   the last 50 accepted specs
  /etc/iproute2/rt_tables.d/uplinkd.conf, rt_protos.d/uplinkd.conf
                                  names for `ip route` and `ip rule`

Signals:
  SIGTERM, SIGINT  stop; routes, rules and chains stay as they are
                   (`uplinkctl cleanup` removes them)
  SIGHUP           read the files of --spec and --roles again, as after each
                   change of them; a bad one is refused and the last good one
                   kept

Exit status:
  0  stopped by a signal
  1  cannot run: another agent in this network namespace, a socket in use, ...
  2  a mistake in the command line, or in the file of --spec if there is no
     spec of an earlier run to go on with)";

EarlyExit Mistake(const std::string& message) {
  return {kExitBadInput, "uplinkd: " + message + "\nTry `uplinkd --help`.\n"};
}

// What the command line says, before it is judged.
struct CommandLine {
  AgentOptions options;
  std::vector<std::string> listen;
  std::string log_format = "text";
};

// A value that was forgotten: the next option would be taken for it.
void RefuseOptionsAsValues(CLI::App& app) {
  const auto fault = [](const std::string& value) -> std::string {
    if (!value.starts_with("--")) return "";
    return "the value is missing: " + value + " is an option";
  };
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() > 0) option->check(fault);
  }
}

void AddOptions(CLI::App& app, CommandLine& parsed) {
  AddAccessOptions(app, parsed.listen, parsed.options.access);
  app.add_option("--metrics-listen", parsed.options.metrics_listen,
                 "Serve Prometheus metrics at http://ADDRESS:PORT/metrics, and "
                 "at http://ADDRESS:PORT/ a page that shows this router live; "
                 "both can only be looked at. ADDRESS is an IPv4 or an [IPv6] "
                 "address, or nothing for all of them; empty: do not")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--state-dir", parsed.options.state_dir,
                 "Remember the accepted spec here")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option(
         "--spec", parsed.options.spec_file,
         "Follow this spec file (YAML or JSON): it is read at the start "
         "and whenever it changes")
      ->type_name("FILE");
  app.add_flag("--allow-empty", parsed.options.allow_empty,
               "Clean up when the file of --spec becomes empty; without this, "
               "and when the file is gone, the last good spec stays");
  app.add_option("--log-level", parsed.options.log_level, "How much to say")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--log-format", parsed.log_format,
                 "One line each, with named fields in JSON. To the journal, "
                 "if standard error leads there, text goes with its fields")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("text|json")
      ->capture_default_str();
  app.add_option("--hooks-dir", parsed.options.hooks_dir,
                 "Run the programs in this directory when an uplink comes up, "
                 "goes down or gets another address, and after a repair; "
                 "empty: do not")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--iproute2-dir", parsed.options.iproute2_dir,
                 "Register names of tables and protocol below this directory; "
                 "empty: do not")
      ->type_name("DIR")
      ->capture_default_str();
  RefuseOptionsAsValues(app);
}

}  // namespace

tl::expected<AgentOptions, EarlyExit> ParseOptions(
    std::span<const char* const> arguments) {
  CLI::App app(kDescription, "uplinkd");
  app.footer(kFooter);
  app.set_version_flag("--version", "uplinkd " UPLINKD_VERSION);
  CommandLine parsed;
  AddOptions(app, parsed);

  try {
    app.parse(ArgumentStack(arguments));
  } catch (const CLI::CallForHelp&) {
    return tl::unexpected(EarlyExit{kExitOk, app.help()});
  } catch (const CLI::CallForVersion&) {
    return tl::unexpected(EarlyExit{kExitOk, app.version() + "\n"});
  } catch (const CLI::ParseError& error) {
    return tl::unexpected(Mistake(error.what()));
  }

  AgentOptions options = std::move(parsed.options);
  options.log_json = parsed.log_format == "json";
  if (Result<void> complete = CompleteAccess(parsed.listen, options.access);
      !complete) {
    return tl::unexpected(Mistake(complete.error().message));
  }
  return options;
}

}  // namespace uplinkd
