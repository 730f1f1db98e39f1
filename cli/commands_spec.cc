// diff, apply and get: the spec that the agent follows.
#include <google/protobuf/util/time_util.h>

#include <memory>
#include <string>

#include "cli/message_text.h"
#include "cli/plan_text.h"
#include "cli/session.h"
#include "proto/spec_writer.h"

namespace uplinkd {
namespace {

void PrintWarnings(
    const google::protobuf::RepeatedPtrField<std::string>& warnings,
    const Screen& screen) {
  for (const std::string& warning : warnings) {
    screen.err() << "warning: " << warning << '\n';
  }
}

// ---- diff ----

ExitCode Diff(const std::string& file, const Session& session) {
  const Screen screen = session.screen();
  v1::DiffRequest request;
  std::optional<SpecFile> spec;
  if (!file.empty()) {
    spec = LoadSpec(file, screen);
    if (!spec) return ExitCode::kRefused;
    *request.mutable_router() = spec->router;
  }
  const auto response = session.client().Diff(request);
  if (!response) {
    return PrintError(response.error(), spec ? &*spec : nullptr, screen);
  }
  PrintWarnings(response->warnings(), screen);
  PrintPlan(response->plan(), screen);
  return response->plan().empty() ? ExitCode::kOk : ExitCode::kNo;
}

void AddDiff(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "diff", "Show what applying a spec would change in the kernel");
  const auto file = std::make_shared<std::string>();
  AddFileOption(verb, *file)
      ->description(
          "The spec; - is standard input; without it: the spec that "
          "the agent follows");
  verb.footer(
      "Prints one line per change: + create, ~ replace, - remove, then the\n"
      "command that would do it and the reason. Nothing is changed.\n"
      "\nExit: 0 in sync, 1 differs, 2 bad spec or refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl diff -f office.yaml     # before an apply\n"
      "  uplinkctl diff                    # did somebody tamper?");
  verb.callback([&session, &chosen, file] {
    chosen = [&session, file] { return Diff(*file, session); };
  });
}

// ---- apply ----

struct ApplyOptions {
  std::string file;
  bool dry_run = false;
  std::chrono::milliseconds wait{10000};
  std::uint64_t expected_generation = 0;
};

// What came of it, in one line.
std::string Summary(const v1::ApplyResponse& response,
                    const ApplyOptions& options) {
  if (options.dry_run) return CountDryRun(response.plan());
  std::string text = "generation " + std::to_string(response.generation());
  text += response.unchanged() ? " (the same spec as before)" : " accepted";
  if (response.in_sync())
    return text + ", in sync: " + CountChanges(response.plan());
  if (options.wait.count() == 0) return text + ", not waited for";
  return text + ", but not in sync in time: see \"uplinkctl status\"";
}

ExitCode Apply(const ApplyOptions& options, const Session& session) {
  const Screen screen = session.screen();
  const auto spec = LoadSpec(options.file, screen);
  if (!spec) return ExitCode::kRefused;
  v1::ApplyRequest request;
  *request.mutable_router() = spec->router;
  request.set_dry_run(options.dry_run);
  request.set_expected_generation(options.expected_generation);
  *request.mutable_wait() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(
          options.dry_run ? 0 : options.wait.count());
  const auto response = session.client().Apply(request);
  if (!response) return PrintError(response.error(), &*spec, screen);
  PrintPlan(response->plan(), screen);
  PrintWarnings(response->warnings(), screen);
  screen.out() << Summary(*response, options) << '\n';
  const bool good =
      options.dry_run || response->in_sync() || options.wait.count() == 0;
  return good ? ExitCode::kOk : ExitCode::kNo;
}

void AddApply(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb =
      *program.add_subcommand("apply", "Make the agent follow a spec");
  const auto options = std::make_shared<ApplyOptions>();
  AddFileOption(verb, options->file)->required();
  verb.add_flag("--dry-run", options->dry_run,
                "Show what would be done, and do nothing");
  AddDurationOption(verb, "--wait", options->wait,
                    "How long to wait until the kernel was seen to hold the "
                    "spec; 0s: return once it is accepted");
  verb.add_option("--expected-generation", options->expected_generation,
                  "Refuse unless the agent's generation is this one")
      ->type_name("N");
  verb.footer(
      "The whole spec, always: what it does not name is removed. A bad spec\n"
      "changes nothing. The same spec again changes nothing either.\n"
      "\nExit: 0 applied (and in sync, with --wait), 1 accepted but not in\n"
      "sync in time, 2 bad spec or refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl apply -f office.yaml\n"
      "  uplinkctl apply -f office.yaml --dry-run\n"
      "  generate-spec | uplinkctl apply -f - --expected-generation 7");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Apply(*options, session); };
  });
}

// ---- get ----

ExitCode Get(Format format, const Session& session) {
  const Screen screen = session.screen();
  const auto response = session.client().Get();
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << (format == Format::kJson ? WriteSpecJson(response->router())
                                           : WriteSpecYaml(response->router()));
  return ExitCode::kOk;
}

void AddGet(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb =
      *program.add_subcommand("get", "Print the spec that the agent follows");
  const auto format = std::make_shared<Format>();
  AddFormatOption(verb, *format, {"yaml", "json"});
  verb.footer(
      "With every default filled in, ids too; it can be applied again.\n"
      "\nExit: 0, 2 there is no spec yet, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl get > backup.yaml\n"
      "  uplinkctl get -o json | jq '.spec.uplinks[].name'");
  verb.callback([&session, &chosen, format] {
    chosen = [&session, format] { return Get(*format, session); };
  });
}

}  // namespace

void AddSpecVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddDiff(program, session, chosen);
  AddApply(program, session, chosen);
  AddGet(program, session, chosen);
}

}  // namespace uplinkd
