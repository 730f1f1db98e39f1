// validate and explain: no agent, no root, no kernel.
#include <memory>
#include <string>
#include <vector>

#include "cli/explain.h"
#include "cli/session.h"
#include "proto/convert.h"

namespace uplinkd {
namespace {

ExitCode Validate(const std::vector<std::string>& files, const Screen& screen) {
  ExitCode exit_code = ExitCode::kOk;
  for (const std::string& file : files) {
    if (LoadValidSpec(file, screen)) {
      screen.out() << file << ": valid\n";
    } else {
      exit_code = ExitCode::kRefused;
    }
  }
  return exit_code;
}

ExitCode Explain(const std::string& file, const Screen& screen) {
  const auto spec = LoadValidSpec(file, screen);
  if (!spec) return ExitCode::kRefused;
  screen.out() << AsItIs{ExplainScript(*spec)};
  return ExitCode::kOk;
}

void AddValidate(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb =
      *program.add_subcommand("validate", "Check spec files, without an agent");
  const auto files = std::make_shared<std::vector<std::string>>();
  verb.add_option("-f,--file", *files, "The specs; - is standard input")
      ->type_name("FILE")
      ->required();
  verb.footer(
      "Prints every fault of every file, each as\n"
      "  file:line:column: field: what is wrong\n"
      "and \"FILE: valid\" for a good one. Needs neither root nor an agent.\n"
      "\nExit: 0 all are valid, 2 at least one is not\n"
      "\nExamples:\n"
      "  uplinkctl validate -f office.yaml\n"
      "  uplinkctl validate -f sites/*.yaml      # as a commit hook");
  verb.callback([&session, &chosen, files] {
    chosen = [&session, files] { return Validate(*files, session.screen()); };
  });
}

void AddExplain(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "explain", "Show a spec as ip and iptables commands, without an agent");
  const auto file = std::make_shared<std::string>();
  AddFileOption(verb, *file)->required();
  verb.footer(
      "Prints a shell script that does by hand what the agent would do from\n"
      "nothing, with the reason of each command. Addresses and gateways that\n"
      "the agent would learn are variables at the top. To read, to compare,\n"
      "or to try in a network namespace; the agent does more: it repairs.\n"
      "\nExit: 0, or 2 for a bad spec\n"
      "\nExamples:\n"
      "  uplinkctl explain -f office.yaml | less\n"
      "  uplinkctl explain -f new.yaml | diff <(uplinkctl explain -f old.yaml) "
      "-");
  verb.callback([&session, &chosen, file] {
    chosen = [&session, file] { return Explain(*file, session.screen()); };
  });
}

}  // namespace

void AddOfflineVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddValidate(program, session, chosen);
  AddExplain(program, session, chosen);
}

}  // namespace uplinkd
