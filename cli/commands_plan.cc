// plan: what an apply would change, in a file for the apply to hold to.
#include <google/protobuf/util/time_util.h>

#include <memory>
#include <string>

#include "cli/followed.h"
#include "cli/plan_file.h"
#include "cli/plan_text.h"
#include "cli/session.h"

namespace uplinkd {
namespace {

struct PlanOptions {
  std::string file;
  std::string output;
};

ExitCode MakePlanFile(const PlanOptions& options, const Session& session) {
  const Screen screen = session.screen();
  const auto may = MayBecomePlanFile(options.output, options.file);
  if (!may) return PrintError(may.error(), screen);
  const auto spec = LoadSpec(options.file, screen);
  if (!spec) return ExitCode::kRefused;
  v1::ApplyRequest request;
  *request.mutable_router() = spec->router;
  request.set_dry_run(true);
  Client client = session.client();
  const auto response = client.Apply(request);
  if (!response) return PrintError(response.error(), &*spec, screen);
  const auto name = NameOfFollowed(response->generation(), client);
  if (!name) return PrintError(name.error(), nullptr, screen);
  v1::PlanFile plan;
  *plan.mutable_time() = google::protobuf::util::TimeUtil::GetCurrentTime();
  plan.set_generation(response->generation());
  plan.set_router_name(*name);
  *plan.mutable_router() = spec->router;
  *plan.mutable_plan()->mutable_lines() = response->plan();
  if (const auto written = WritePlanFile(options.output, plan); !written) {
    return PrintError(written.error(), screen);
  }
  for (const std::string& warning : response->warnings()) {
    screen.err() << "warning: " << warning << '\n';
  }
  PrintPlan(response->plan(), screen);
  screen.out() << CountChanges(response->plan()) << ". Do just this with:\n"
               << "  uplinkctl apply " << options.output << '\n';
  return ExitCode::kOk;
}

}  // namespace

void AddPlanVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "plan", "Save what applying a spec would change, to apply just that");
  const auto options = std::make_shared<PlanOptions>();
  AddFileOption(verb, options->file)->required();
  verb.add_option("-o,--output", options->output,
                  "Where to write the plan: the spec and its changes")
      ->type_name("FILE")
      ->required();
  verb.footer(
      "For changes that somebody looks at before they are made. \"uplinkctl\n"
      "apply FILE\" does what the plan says or, if the kernel or the agent's\n"
      "spec has moved since, nothing: it says what is different then. Nor "
      "does\n"
      "it take a plan that was changed, or that is another router's. Where a\n"
      "policy goes by connections or latency, a plan that touches its choice\n"
      "is soon out of date. Only a plan file is written over.\n"
      "\nExit: 0 written, 2 bad spec or refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl plan -f office.yaml -o office.plan\n"
      "  uplinkctl apply office.plan --confirm-within 10m");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return MakePlanFile(*options, session); };
  });
}

}  // namespace uplinkd
