// schema, completion and manual: the program's words about itself and the
// spec, for editors, shells and man(1). No agent, no root.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command_line.h"
#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/session.h"
#include "proto/schema.h"

namespace uplinkd {
namespace {

std::string Completion(const CLI::App& program, const std::string& shell) {
  const CommandLineText text = DescribeCommandLine(program);
  if (shell == "bash") return BashCompletion(text);
  return shell == "zsh" ? ZshCompletion(text) : FishCompletion(text);
}

void AddSchema(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "schema", "Print the JSON Schema of a spec file, for editors");
  verb.footer(
      "With it an editor completes keys, shows what they mean, and marks what\n"
      "is wrong. It knows the form of a spec only: `uplinkctl validate` knows\n"
      "as well what the fields say about each other.\n"
      "\nExit: 0\n"
      "\nExamples:\n"
      "  uplinkctl schema > uplinkd.schema.json\n"
      "  # the first line of a spec, for the YAML language server:\n"
      "  # yaml-language-server: $schema=uplinkd.schema.json");
  verb.callback([&session, &chosen] {
    chosen = [&session] {
      session.screen().out() << AsItIs{SpecSchema()};
      return ExitCode::kOk;
    };
  });
}

void AddCompletion(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "completion", "Print a script that completes this command line");
  const auto shell = std::make_shared<std::string>();
  verb.add_option("shell", *shell, "For which shell")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
      ->type_name("bash|zsh|fish")
      ->required();
  verb.footer(
      "The packages install all three.\n"
      "\nExit: 0\n"
      "\nExamples:\n"
      "  source <(uplinkctl completion bash)\n"
      "  uplinkctl completion fish > "
      "~/.config/fish/completions/uplinkctl.fish");
  verb.callback([&program, &session, &chosen, shell] {
    chosen = [&program, &session, shell] {
      session.screen().out() << AsItIs{Completion(program, *shell)};
      return ExitCode::kOk;
    };
  });
}

// For the build, which installs what it prints: not in --help.
void AddManual(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb =
      *program.add_subcommand("manual", "Print the man page uplinkctl(1)");
  verb.group("");
  verb.callback([&program, &session, &chosen] {
    chosen = [&program, &session] {
      session.screen().out()
          << AsItIs{ManualPage(DescribeCommandLine(program))};
      return ExitCode::kOk;
    };
  });
}

}  // namespace

void AddAboutVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddSchema(program, session, chosen);
  AddCompletion(program, session, chosen);
  AddManual(program, session, chosen);
}

}  // namespace uplinkd
