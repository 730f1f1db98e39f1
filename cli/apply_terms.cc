#include "cli/apply_terms.h"

#include <array>
#include <cstdio>
#include <iostream>
#include <optional>
#include <random>

#include "cli/plan_text.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

// "gateway", "ping:ADDRESS", "tcp:ADDRESS:PORT", "dns:NAME@SERVER"; the agent
// judges the rest.
std::optional<v1::Probe> CheckOf(const std::string& text) {
  v1::Probe probe;
  if (text == "gateway") {
    probe.set_arp("gateway");
    return probe;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::string kind = text.substr(0, colon);
  const std::string target = text.substr(colon + 1);
  if (kind == "ping") {
    probe.set_icmp(target);
  } else if (kind == "tcp") {
    probe.set_tcp(target);
  } else if (kind == "dns") {
    const std::size_t at = target.find('@');
    if (at == std::string::npos) return std::nullopt;
    probe.mutable_dns()->set_name(target.substr(0, at));
    probe.mutable_dns()->set_server(target.substr(at + 1));
  } else {
    return std::nullopt;
  }
  return probe;
}

std::string Summary(const v1::ApplyResponse& response,
                    const ApplyTerms& terms) {
  if (terms.dry_run) return CountDryRun(response.plan());
  std::string text = "generation " + std::to_string(response.generation());
  text += response.unchanged() ? " (the same spec as before)" : " accepted";
  if (response.in_sync())
    return text + ", in sync: " + CountChanges(response.plan());
  if (response.status().generation() > response.generation()) {
    return text + ", but generation " +
           std::to_string(response.status().generation()) +
           " has taken its place";
  }
  if (terms.wait.count() == 0) return text + ", not waited for";
  return text + ", but not in sync in time: see \"uplinkctl status\"";
}

void PrintNextSteps(const v1::ConfirmStatus& confirm, const Screen& screen) {
  screen.out() << "It returns to the spec of generation " << confirm.return_to()
               << " at " << TimeUtil::ToString(confirm.deadline())
               << ", unless "
               << (confirm.checks().empty()
                       ? "you confirm it:\n"
                       : "its checks are answered or you confirm it:\n")
               << "  uplinkctl confirm " << confirm.id() << '\n'
               << "  uplinkctl confirm " << confirm.id()
               << " --extend 10m    # more time\n"
               << "  uplinkctl cancel " << confirm.id()
               << "                  # return at once\n";
}

}  // namespace

std::string TellConfirmId(const ApplyTerms& terms) {
  std::string id = terms.confirm_id;
  if (id.empty()) {
    std::array<char, 9> text{};
    std::snprintf(text.data(), text.size(), "%08x", std::random_device()());
    id = text.data();
  }
  if (!terms.dry_run) {
    Screen(std::cout, std::cerr, false).err()
        << "the id to confirm by is " << id << '\n';
  }
  return id;
}

void AddApplyTerms(CLI::App& verb, ApplyTerms& terms) {
  verb.add_flag("--dry-run", terms.dry_run,
                "Show what would be done, and do nothing");
  AddDurationOption(verb, "--wait", terms.wait,
                    "How long to wait until the kernel was seen to hold the "
                    "spec; 0s: return once it is accepted");
  verb.add_option("--expect-generation,--expected-generation",
                  terms.expected_generation,
                  "Refuse unless the agent's generation is this one")
      ->type_name("N");
  CLI::Option* within =
      AddDurationOption(verb, "--confirm-within", terms.confirm_within,
                        "Return to the spec before, unless \"uplinkctl "
                        "confirm\" comes within this time")
          ->default_str("");
  verb.add_option("--confirm-id", terms.confirm_id,
                  "The id to confirm by; a random one without it")
      ->type_name("ID")
      ->needs(within);
  verb.add_option_function<std::vector<std::string>>(
          "--confirm-check",
          [&terms](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              if (auto check = CheckOf(text)) {
                terms.checks.push_back(*std::move(check));
                continue;
              }
              throw CLI::ValidationError(
                  "--confirm-check",
                  "\"" + text +
                      "\" is none of gateway, ping:ADDRESS, tcp:ADDRESS:PORT, "
                      "dns:NAME@SERVER");
            }
          },
          "Confirm without me once this is answered (and every other one): "
          "gateway, ping:ADDRESS, tcp:ADDRESS:PORT or dns:NAME@SERVER; may be "
          "given more than once")
      ->type_name("CHECK")
      ->expected(1)
      ->take_all()
      ->needs(within);
}

ExitCode PrintAnswer(const v1::ApplyResponse& response, const ApplyTerms& terms,
                     const Screen& screen) {
  PrintPlan(response.plan(), screen);
  for (const std::string& warning : response.warnings()) {
    screen.err() << "warning: " << warning << '\n';
  }
  screen.out() << Summary(response, terms) << '\n';
  if (response.has_pending_confirm()) {
    PrintNextSteps(response.pending_confirm(), screen);
  } else if (terms.confirm_within.count() > 0 && response.unchanged()) {
    // A script must not take it for a spec that goes back by itself.
    screen.err() << "uplinkctl: nothing waits to be confirmed: the agent "
                    "followed this spec before, and stays with it\n";
    return ExitCode::kRefused;
  }
  const bool good =
      terms.dry_run || response.in_sync() || terms.wait.count() == 0;
  return good ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace uplinkd
