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

// The id to confirm by: what the user chose, or eight hexadecimal digits that
// nobody else has. Says on standard error which it is, so that it is known
// even if the answer is lost.
std::string TellConfirmId(const ApplyTerms& terms);

// Fills in an ApplyRequest or a RollbackRequest, which is to be sent then.
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
    request.set_confirm_id(TellConfirmId(terms));
  } else {
    request.set_confirm_id(terms.confirm_id);  // for the agent to refuse
  }
  for (const v1::Probe& check : terms.checks) {
    *request.add_confirm_checks() = check;
  }
}

// What came of it, and what is to be done next. Refused if it was to be
// confirmed and is not: the same spec was followed before, for good.
ExitCode PrintAnswer(const v1::ApplyResponse& response, const ApplyTerms& terms,
                     const Screen& screen);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_APPLY_TERMS_H_
