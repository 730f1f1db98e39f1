// history and rollback: which specs there were, and back to one of them.
#include <google/protobuf/util/time_util.h>

#include <cstdint>
#include <memory>
#include <string>

#include "cli/apply_terms.h"
#include "cli/generation.h"
#include "cli/message_text.h"
#include "cli/session.h"
#include "cli/table.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

std::string DashIfEmpty(const std::string& text) {
  return text.empty() ? "-" : text;
}

void PrintHistory(const v1::HistoryResponse& history, const Screen& screen) {
  Table table({"GENERATION", "TIME", "FROM", "NAME", "REVISION", "OUTCOME"});
  for (const v1::HistoryEntry& entry : history.entries()) {
    const bool gone = entry.outcome() == "rolled-back";
    const bool waits = entry.outcome() == "pending";
    table.AddRow({{std::to_string(entry.generation())},
                  {entry.time().seconds() == 0
                       ? "-"  // of a version that did not keep it
                       : TimeUtil::ToString(TimeUtil::SecondsToTimestamp(
                             entry.time().seconds()))},
                  {DashIfEmpty(entry.from())},
                  {entry.name()},
                  {DashIfEmpty(entry.revision())},
                  {entry.outcome(), gone    ? Color::kRed
                                    : waits ? Color::kYellow
                                            : Color::kGreen}});
    if (!entry.note().empty()) table.AddNote(entry.note());
  }
  table.Print(screen);
}

ExitCode History(Format format, const Session& session) {
  const Screen screen = session.screen();
  const auto response = session.client().History(v1::HistoryRequest());
  if (!response) return PrintError(response.error(), nullptr, screen);
  switch (format) {
    case Format::kTable: PrintHistory(*response, screen); break;
    case Format::kYaml: screen.out() << AsItIs{WriteYaml(*response)}; break;
    case Format::kJson:
      screen.out() << AsItIs{WriteJson(*response, JsonStyle::kIndented)};
      break;
  }
  return ExitCode::kOk;
}

void AddHistory(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "history", "List the last 50 specs that were accepted");
  const auto format = std::make_shared<Format>();
  AddFormatOption(verb, *format, {"table", "yaml", "json"});
  verb.footer(
      "Oldest first, also those of earlier runs. The outcome is accepted; of "
      "a\nspec that is to be confirmed: pending, then confirmed or "
      "rolled-back.\n"
      "\nExit: 0, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl history\n"
      "  uplinkctl diff --from 5       # what has changed since\n"
      "  uplinkctl rollback --to 5");
  verb.callback([&session, &chosen, format] {
    chosen = [&session, format] { return History(*format, session); };
  });
}

struct RollbackOptions {
  ApplyTerms terms;
  std::uint64_t to = 0;
};

ExitCode Rollback(const RollbackOptions& options, const Session& session) {
  const Screen screen = session.screen();
  v1::RollbackRequest request;
  FillIn(options.terms, request);
  request.set_to_generation(options.to);
  const auto response = session.client().Rollback(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  return PrintAnswer(*response, options.terms, screen);
}

void AddRollback(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "rollback", "Make the agent follow an earlier spec again");
  const auto options = std::make_shared<RollbackOptions>();
  verb.add_option("--to", options->to,
                  "The generation, as \"history\" has it; without it: the last "
                  "one that differs from the present one and was not rolled "
                  "back")
      ->check(IsGeneration())
      ->type_name("N");
  AddApplyTerms(verb, options->terms);
  verb.get_option("--expect-generation")->check(IsGeneration());
  verb.footer(
      "It becomes a new generation, with the uplinks' ids of then. Twice in a\n"
      "row goes there and back.\n"
      "\nExit: as \"apply\"; 2 also if that generation is not remembered\n"
      "\nExamples:\n"
      "  uplinkctl rollback\n"
      "  uplinkctl rollback --to 5 --dry-run\n"
      "  uplinkctl rollback --to 5 --confirm-within 10m");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Rollback(*options, session); };
  });
}

}  // namespace

void AddHistoryVerbs(CLI::App& program, Session& session, Chosen& chosen) {
  AddHistory(program, session, chosen);
  AddRollback(program, session, chosen);
}

}  // namespace uplinkd
