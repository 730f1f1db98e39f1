// events: what happened lately.
#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "cli/message_text.h"
#include "cli/plan_text.h"
#include "cli/session.h"
#include "cli/status_text.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::uint32_t kUsualCount = 50;

struct EventsOptions {
  std::chrono::milliseconds since{};
  std::string trigger;
  std::string result;
  std::string text;
  std::uint32_t count = kUsualCount;
  Format format = Format::kTable;
};

Color ColorOf(const v1::Event& event) {
  const std::string& result = event.result();
  if (result == "up" || result == "accepted") return Color::kGreen;
  const bool bad = result == "down" || result.starts_with("failed") ||
                   result == "cut-failed" || result == "conflict" ||
                   result == "refused";
  return bad ? Color::kRed : Color::kYellow;
}

void PrintPast(const v1::Event& event, const Screen& screen) {
  screen.out() << MomentWords(event.time()) << ' ' << event.trigger() << ' '
               << screen.Paint(ColorOf(event), event.result());
  if (!event.message().empty()) screen.out() << ": " << event.message();
  if (event.times() > 1) {
    screen.out() << " (" << event.times() << " times since "
                 << MomentWords(event.first()) << ')';
  }
  screen.out() << '\n';
  PrintPlan(event.plan(), screen);
  if (event.omitted_lines() > 0) {
    screen.out() << "... and " << event.omitted_lines() << " more\n";
  }
}

ExitCode Events(const EventsOptions& options, const Session& session) {
  const Screen screen = session.screen();
  v1::EventsRequest request;
  if (options.since.count() > 0) {
    *request.mutable_since() =
        TimeUtil::GetCurrentTime() -
        TimeUtil::MillisecondsToDuration(options.since.count());
  }
  request.set_trigger(options.trigger);
  request.set_result(options.result);
  request.set_text(options.text);
  request.set_count(options.count);
  const auto response = session.client().Events(request);
  if (!response) return PrintError(response.error(), nullptr, screen);
  for (const v1::Event& event : response->events()) {
    switch (options.format) {
      case Format::kTable: PrintPast(event, screen); break;
      case Format::kYaml:
        screen.out() << "---\n" << AsItIs{WriteYaml(event)};
        break;
      case Format::kJson:
        screen.out() << AsItIs{WriteJson(event, JsonStyle::kOneLine)};
        break;
    }
  }
  return ExitCode::kOk;
}

}  // namespace

void AddEventsVerb(CLI::App& program, Session& session, Chosen& chosen) {
  CLI::App& verb = *program.add_subcommand(
      "events", "Show what happened lately, and what the agent did");
  const auto options = std::make_shared<EventsOptions>();
  AddDurationOption(verb, "--since", options->since,
                    "Of this time until now only")
      ->default_str("");
  verb.add_option(
          "--trigger", options->trigger,
          "Of passes with this trigger (spec, event, poll, health ...), "
          "cuts for this reason (failover ...), of uplinks (uplink), or of "
          "requests (drain ...)")
      ->type_name("WORD");
  verb.add_option("--result", options->result,
                  "With this result: changed, failed, cut, up, down ...")
      ->type_name("WORD");
  verb.add_option("--text", options->text,
                  "With this in the message or the plan, such as an uplink's "
                  "name")
      ->type_name("TEXT");
  verb.add_option("-n,--count", options->count,
                  "The newest so many of them; 0: all")
      ->type_name("N")
      ->capture_default_str();
  AddFormatOption(verb, options->format, {"table", "yaml", "json"});
  verb.footer(
      "Oldest first: passes that changed or found something, with their plan\n"
      "and each line's reason; connections that were cut; uplinks that went\n"
      "down, came up or got another address. The agent keeps the last "
      "thousand,\n"
      "also over a restart, with the first 20 lines of a plan. With -o json "
      "one\n"
      "object per line.\n"
      "\nExit: 0, 3 no agent\n"
      "\nExamples:\n"
      "  uplinkctl events --since 1h\n"
      "  uplinkctl events --trigger uplink --text cable\n"
      "  uplinkctl events -n 0 -o json | jq -r 'select(.result == "
      "\"failed\")'");
  verb.callback([&session, &chosen, options] {
    chosen = [&session, options] { return Events(*options, session); };
  });
}

}  // namespace uplinkd
