#include "agent/confirm_round.h"

#include <algorithm>
#include <asio/post.hpp>
#include <utility>
#include <variant>

namespace uplinkd {
namespace {

// A gateway answers on its own link only; anything else counts if it can be
// reached at all.
bool AllMustAnswer(const Probe& check) {
  return std::holds_alternative<ArpProbe>(check);
}

// Not by a path that has no such thing: a point-to-point link has no gateway.
bool CanAsk(const Probe& check, const ProbePath& path) {
  const auto* arp = std::get_if<ArpProbe>(&check);
  if (arp != nullptr && !arp->target) return path.gateway.has_value();
  return FamilyOf(check) == Family::kIpv6 ? path.source6.has_value()
                                          : path.source.has_value();
}

std::string FaultOfOne(const CheckFindings& findings) {
  const std::vector<ProbeResult>& results = findings.results;
  const std::string name = ProbeName(findings.check) + ": ";
  if (results.empty()) return name + "no ready uplink can ask";
  const auto good = std::ranges::count(results, true, &ProbeResult::answered);
  const auto needed = AllMustAnswer(findings.check)
                          ? static_cast<std::ptrdiff_t>(results.size())
                          : 1;
  if (good >= needed) return "";
  return name +
         std::ranges::find(results, false, &ProbeResult::answered)->fault;
}

}  // namespace

std::string FaultOf(const std::vector<CheckFindings>& findings) {
  for (const CheckFindings& one : findings) {
    if (std::string fault = FaultOfOne(one); !fault.empty()) return fault;
  }
  return "";
}

void ConfirmRound::Begin(const std::vector<Probe>& checks,
                         const std::vector<ProbePath>& paths,
                         std::function<void(const std::string&)> done) {
  done_ = std::move(done);
  round_ = std::make_shared<int>();
  runs_.clear();
  findings_.clear();
  open_ = 0;
  for (const Probe& check : checks) {
    CheckFindings& findings = findings_.emplace_back(CheckFindings{check, {}});
    const auto asked = std::ranges::count_if(
        paths, [&](const ProbePath& path) { return CanAsk(check, path); });
    findings.results.resize(static_cast<std::size_t>(asked));
    open_ += findings.results.size();
  }
  for (std::size_t i = 0; i < checks.size(); ++i) {
    std::size_t number = 0;
    for (const ProbePath& path : paths) {
      if (!CanAsk(checks[i], path)) continue;
      runs_.push_back(start_probe_(context_, {checks[i], path, kTimeout},
                                   [this, i, number](ProbeResult result) {
                                     findings_[i].results[number] =
                                         std::move(result);
                                     if (--open_ == 0) End();
                                   }));
      ++number;
    }
  }
  if (open_ != 0) return;
  asio::post(context_, [this, round = std::weak_ptr(round_)] {
    if (!round.expired()) End();
  });
}

void ConfirmRound::End() {
  const std::string fault = FaultOf(findings_);
  const auto done = std::exchange(done_, nullptr);
  done(fault);
}

void ConfirmRound::Drop() {
  done_ = nullptr;
  round_.reset();
  runs_.clear();
}

}  // namespace uplinkd
