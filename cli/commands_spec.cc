// diff, apply and get: the spec that the agent follows.
#include <cstdint>
#include <memory>
#include <string>

#include "cli/apply_terms.h"
#include "cli/followed.h"
#include "cli/generation.h"
#include "cli/message_text.h"
#include "cli/plan_file.h"
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

ExitCode Diff(const std::string& file, std::uint64_t from,
              const Session& session) {
  const Screen screen = session.screen();
  v1::DiffRequest request;
  request.set_from_generation(from);
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
  const auto from = std::make_shared<std::uint64_t>(0);
  verb.add_option("--from", *from,
                  "Not against the kernel: what changes from the spec of this "
                  "generation (see \"history\")")
      ->check(IsGeneration())
      ->type_name("N");
  verb.footer(
      "Prints one line per change: + create, ~ replace, - remove, then the\n"
      "command that would do it and the reason. Nothing is changed.\n"
      "\nExit: 0 in sync, 1 differs, 2 bad spec or refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl diff -f office.yaml     # before an apply\n"
      "  uplinkctl diff                    # did somebody tamper?\n"
      "  uplinkctl diff --from 5           # what has changed since then?\n"
      "  uplinkctl rollback --to 5 --dry-run    # what would going back do?");
  verb.callback([&session, &chosen, file, from] {
    chosen = [&session, file, from] { return Diff(*file, *from, session); };
  });
}

// ---- apply ----

struct ApplyOptions {
  std::string file;  // of the spec; "": it is in `plan`
  std::string plan;
  ApplyTerms terms;
};

ExitCode ApplyRequested(v1::ApplyRequest& request, const SpecFile* spec,
                        const ApplyTerms& terms, const Session& session) {
  const Screen screen = session.screen();
  FillIn(terms, request);
  const auto response = session.client().Apply(request);
  if (!response) return PrintError(response.error(), spec, screen);
  return PrintAnswer(*response, terms, screen);
}

ExitCode ApplySpec(const ApplyOptions& options, const Session& session) {
  const auto spec = LoadSpec(options.file, session.screen());
  if (!spec) return ExitCode::kRefused;
  v1::ApplyRequest request;
  *request.mutable_router() = spec->router;
  return ApplyRequested(request, &*spec, options.terms, session);
}

ExitCode ApplyPlan(const ApplyOptions& options, const Session& session) {
  const auto plan = ReadPlanFile(options.plan);
  if (!plan) return PrintError(plan.error(), session.screen());
  ApplyTerms terms = options.terms;
  if (terms.expected_generation == 0) {
    terms.expected_generation = plan->generation();
  }
  Client client = session.client();
  const auto name = NameOfFollowed(terms.expected_generation, client);
  if (!name) return PrintError(name.error(), nullptr, session.screen());
  if (*name != plan->router_name()) {
    return PrintError(options.plan + " was made for the router \"" +
                          plan->router_name() + "\", and this is \"" + *name +
                          "\"; nothing was changed",
                      session.screen());
  }
  v1::ApplyRequest request;
  *request.mutable_router() = plan->router();
  // Reasons and results do not count, and a request has to fit.
  for (const v1::PlanLine& line : plan->plan().lines()) {
    v1::PlanLine& expected = *request.mutable_expected_plan()->add_lines();
    expected.set_sign(line.sign());
    expected.set_command(line.command());
  }
  request.mutable_expected_plan();  // none is a plan as well
  return ApplyRequested(request, nullptr, terms, session);
}

void AddApply(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb =
      *program.add_subcommand("apply", "Make the agent follow a spec");
  const auto options = std::make_shared<ApplyOptions>();
  CLI::Option* file = AddFileOption(verb, options->file);
  verb.add_option("PLAN", options->plan,
                  "Instead of a spec: a file of \"uplinkctl plan\"; refused "
                  "if something else is to be done by now")
      ->type_name("FILE")
      ->excludes(file);
  AddApplyTerms(verb, options->terms);
  verb.get_option("--expect-generation")->check(IsGeneration());
  verb.footer(
      "The whole spec, always: what it does not name is removed. A bad spec\n"
      "changes nothing. The same spec again changes nothing either.\n"
      "\nExit: 0 applied (and in sync, with --wait), 1 accepted but not in\n"
      "sync in time, 2 bad spec or refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl apply -f office.yaml\n"
      "  uplinkctl apply -f office.yaml --dry-run\n"
      "  uplinkctl apply office.plan    # what \"plan -o office.plan\" showed\n"
      "  generate-spec | uplinkctl apply -f - --expect-generation 7\n"
      "  uplinkctl apply -f office.yaml --confirm-within 10m    # from afar\n"
      "  uplinkctl apply -f office.yaml --confirm-within 2m \\\n"
      "    --confirm-check gateway --confirm-check tcp:192.0.2.7:443");
  verb.callback([&session, &chosen, options] {
    if (options->file.empty() && options->plan.empty()) {
      throw CLI::RequiredError("--file FILE or PLAN");
    }
    chosen = [&session, options] {
      return options->plan.empty() ? ApplySpec(*options, session)
                                   : ApplyPlan(*options, session);
    };
  });
}

// ---- get ----

ExitCode Get(Format format, const Session& session) {
  const Screen screen = session.screen();
  const auto response = session.client().Get();
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << AsItIs{format == Format::kJson
                             ? WriteSpecJson(response->router())
                             : WriteSpecYaml(response->router())};
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
