// doctor: what about this host will keep a spec from working.
#include <memory>
#include <string>

#include "cli/doctor_report.h"
#include "cli/session.h"
#include "reconciler/doctor.h"
#include "reconciler/linux/host_facts.h"

namespace uplinkd {
namespace {

struct DoctorOptions {
  std::string file;
  Format format = Format::kTable;
};

ExitCode Examine(const DoctorOptions& options, const Screen& screen) {
  Expectation expectation = ExpectAnySpec();
  if (!options.file.empty()) {
    const auto spec = LoadValidSpec(options.file, screen);
    if (!spec) return ExitCode::kRefused;
    expectation = ExpectSpec(*spec);
  }
  const auto host = ReadHostFacts(expectation);
  if (!host) return PrintError(host.error().message, screen);
  const std::vector<Finding> findings = Diagnose(*host, expectation);
  if (options.format == Format::kJson) {
    screen.out() << AsItIs{FindingsJson(findings)};
  } else {
    PrintFindings(findings, screen);
  }
  return AnythingToMend(findings) ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace

void AddDoctorVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "doctor", "Look for what on this host keeps a spec from working");
  const auto options = std::make_shared<DoctorOptions>();
  AddFileOption(verb, options->file)
      ->description(
          "The spec to look with; - is standard input; without it: "
          "what any spec with default marks and tables needs");
  AddFormatOption(verb, options->format, {"table", "json"});
  verb.footer(
      "Looks at the network namespace that it runs in; no agent is asked and\n"
      "nothing is changed. Each finding has its reason and the command that\n"
      "mends it. Run it as root, or it sees only a part.\n"
      "\nExit: 0 nothing to mend, 1 findings, 2 cannot look\n"
      "\nExamples:\n"
      "  sudo uplinkctl doctor -f office.yaml\n"
      "  sudo uplinkctl doctor -o json | jq -r '.findings[].mend'");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] {
      return Examine(*options, session.screen());
    };
  });
}

}  // namespace uplinkd
