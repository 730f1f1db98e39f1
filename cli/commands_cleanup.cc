// cleanup: nothing of ours stays in the kernel.
#include <unistd.h>

#include <chrono>
#include <memory>

#include "cli/plan_text.h"
#include "cli/session.h"
#include "proto/plan_lines.h"
#include "reconciler/linux/instance.h"
#include "reconciler/linux/linux_kernel.h"
#include "reconciler/linux/xt_modules.h"
#include "reconciler/reconcile.h"

namespace uplinkd {
namespace {

struct CleanupOptions {
  bool dry_run = false;
  bool offline = false;
};

bool AllDone(const PlanLines& plan) {
  for (const v1::PlanLine& line : plan) {
    if (line.result() == "failed" || line.result() == "conflict" ||
        line.result() == "skipped") {
      return false;
    }
  }
  return true;
}

ExitCode PrintCleanup(const PlanLines& plan, bool dry_run,
                      const Screen& screen) {
  PrintPlan(plan, screen);
  if (dry_run) {
    screen.out() << CountDryRun(plan) << '\n';
    return ExitCode::kOk;
  }
  if (!AllDone(plan)) {
    screen.out() << "something of ours is still in the kernel\n";
    return ExitCode::kNo;
  }
  screen.out() << "nothing of ours is in the kernel: " << CountChanges(plan)
               << '\n';
  return ExitCode::kOk;
}

ExitCode CleanUpThroughAgent(bool dry_run, const Session& session) {
  v1::CleanupRequest request;
  request.set_dry_run(dry_run);
  const auto response = session.client().Cleanup(request);
  if (response)
    return PrintCleanup(response->plan(), dry_run, session.screen());
  CallError error = response.error();
  if (error.exit_code == ExitCode::kNoAgent) {
    error.message += "; without an agent: uplinkctl cleanup --offline";
  }
  return PrintError(error, nullptr, session.screen());
}

ExitCode CleanUpOffline(bool dry_run, const Screen& screen) {
  // Held until the end, so that no agent starts in the middle and repairs.
  const auto instance = Instance::Take();
  if (!instance) {
    return PrintError(
        instance.error().message + "; ask it instead: uplinkctl cleanup",
        screen);
  }
  if (geteuid() == 0) LoadXtModules();  // as the agent does at its start
  auto kernel = OpenLinuxKernel({});
  if (!kernel) return PrintError(kernel.error().message, screen);
  const Report report = CleanUp(**kernel, dry_run, [] {
    return std::chrono::steady_clock::now().time_since_epoch();
  });
  if (report.error) return PrintError(report.error->message, screen);
  return PrintCleanup(ToPlanLines(report), dry_run, screen);
}

}  // namespace

void AddCleanupVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "cleanup", "Remove everything of ours from the kernel");
  const auto options = std::make_shared<CleanupOptions>();
  verb.add_flag("--dry-run", options->dry_run,
                "Show what would be removed, and do nothing");
  verb.add_flag("--offline", options->offline,
                "Do it here and now, where no agent runs; needs root");
  verb.footer(
      "Removes our routes, rules and chains, nothing else, and makes the "
      "agent\n"
      "forget its spec. The router then routes as main says. What is ours is\n"
      "read from the kernel alone, so --offline also works after a crash; it\n"
      "refuses if an agent runs in this network namespace, and leaves the\n"
      "agent's spec on disk, which it follows when it starts again.\n"
      "\nExit: 0 all removed, 1 something is left, 2 refused, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl cleanup --dry-run\n"
      "  uplinkctl cleanup\n"
      "  systemctl stop uplinkd && uplinkctl cleanup --offline");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] {
      return options->offline
                 ? CleanUpOffline(options->dry_run, session.screen())
                 : CleanUpThroughAgent(options->dry_run, session);
    };
  });
}

}  // namespace uplinkd
