// ApplyTerms: what apply and rollback have in common: when to give up, when to
// refuse, and how the spec is to be confirmed.
#ifndef UPLINKD_CLI_APPLY_TERMS_H_
#define UPLINKD_CLI_APPLY_TERMS_H_

#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/session.h"

namespace uplinkd {

struct ApplyTerms {
  bool dry_run = false;
  std::chrono::milliseconds wait{10000};
  std::uint64_t expected_generation = 0;
  std::chrono::milliseconds confirm_within{};  // 0: need not be confirmed
  std::string confirm_id;
  std::vector<v1::Probe> checks;
};

// `terms` must outlive `verb`.
void AddApplyTerms(CLI::App& verb, ApplyTerms& terms);

// An id that nobody else has: eight hexadecimal digits.
std::string RandomConfirmId();

// Fills in an ApplyRequest or a RollbackRequest.
template <typename Request>
void FillIn(const ApplyTerms& terms, Request& request) {
  using google::protobuf::util::TimeUtil;
  request.set_dry_run(terms.dry_run);
  request.set_expected_generation(terms.expected_generation);
  *request.mutable_wait() =
      TimeUtil::MillisecondsToDuration(terms.dry_run ? 0 : terms.wait.count());
  if (terms.confirm_within.count() > 0) {
    *request.mutable_confirm_within() =
        TimeUtil::MillisecondsToDuration(terms.confirm_within.count());
    request.set_confirm_id(terms.confirm_id.empty() ? RandomConfirmId()
                                                    : terms.confirm_id);
  } else {
    request.set_confirm_id(terms.confirm_id);  // for the agent to refuse
  }
  for (const v1::Probe& check : terms.checks) {
    *request.add_confirm_checks() = check;
  }
}

// What came of it, and what is to be done next.
ExitCode PrintAnswer(const v1::ApplyResponse& response, const ApplyTerms& terms,
                     const Screen& screen);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_APPLY_TERMS_H_
