// confirm and cancel: keep the spec that waits, or return to the one before.
#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "cli/plan_text.h"
#include "cli/session.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

struct AnswerOptions {
  std::string id;  // "": whichever waits
  std::chrono::milliseconds extend{};
};

// What the user means: without an id that of the spec that waits, if one does.
CallResult<std::string> IdOf(const AnswerOptions& options, Client& client) {
  if (!options.id.empty()) return options.id;
  const auto response = client.Status();
  if (!response) return tl::unexpected(response.error());
  return response->status().pending_confirm().id();
}

ExitCode Confirm(const AnswerOptions& options, const Session& session) {
  const Screen screen = session.screen();
  Client client = session.client();
  const auto id = IdOf(options, client);
  if (!id) return PrintError(id.error(), nullptr, screen);
  v1::ConfirmRequest request;
  request.set_id(*id);
  if (options.extend.count() > 0) {
    *request.mutable_extend() =
        TimeUtil::MillisecondsToDuration(options.extend.count());
  }
  const auto response = client.Confirm(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  screen.out() << "generation " << response->generation();
  if (response->has_deadline()) {
    screen.out() << " waits until " << TimeUtil::ToString(response->deadline())
                 << '\n';
  } else {
    screen.out() << " is confirmed\n";
  }
  return ExitCode::kOk;
}

ExitCode Cancel(const AnswerOptions& options, const Session& session) {
  const Screen screen = session.screen();
  Client client = session.client();
  const auto id = IdOf(options, client);
  if (!id) return PrintError(id.error(), nullptr, screen);
  v1::CancelConfirmRequest request;
  request.set_id(*id);
  const auto response = client.CancelConfirm(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  PrintPlan(response->plan(), screen);
  screen.out() << "the spec before is followed again, as generation "
               << response->generation() << '\n';
  return ExitCode::kOk;
}

void AddConfirm(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "confirm", "Keep the spec that was applied with --confirm-within");
  const auto options = std::make_shared<AnswerOptions>();
  verb.add_option("ID", options->id,
                  "As \"apply\" printed it; without it: whichever waits");
  AddDurationOption(verb, "--extend", options->extend,
                    "Do not keep it yet: it waits so long from now")
      ->default_str("");
  verb.footer(
      "Exit: 0, 2 nothing waits, or something else does, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl apply -f office.yaml --confirm-within 10m --confirm-id "
      "night\n"
      "  uplinkctl confirm night\n"
      "  uplinkctl confirm night --extend 30m");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Confirm(*options, session); };
  });
}

void AddCancel(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "cancel", "Return at once from a spec that waits to be confirmed");
  const auto options = std::make_shared<AnswerOptions>();
  verb.add_option("ID", options->id,
                  "As \"apply\" printed it; without it: whichever waits");
  verb.footer(
      "The spec before becomes a new generation. No file brings back the one\n"
      "that was cancelled, until another spec is accepted; \"apply\" does.\n"
      "\nExit: 0, 2 nothing waits, or something else does, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl cancel night");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Cancel(*options, session); };
  });
}

}  // namespace

void AddConfirmVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddConfirm(program, session, chosen);
  AddCancel(program, session, chosen);
}

}  // namespace uplinkd
