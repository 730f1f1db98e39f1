// What the service's requests about specs have in common. Pure.
#ifndef UPLINKD_AGENT_SERVICE_SPECS_H_
#define UPLINKD_AGENT_SERVICE_SPECS_H_

#include <google/protobuf/repeated_ptr_field.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "agent/confirm_wire.h"
#include "agent/wire.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

void CopyWarnings(const Report& report,
                  google::protobuf::RepeatedPtrField<std::string>* warnings);

// On which terms an ApplyRequest or a RollbackRequest wants its spec to be
// confirmed; nothing if it does not. kInvalidArgument: it makes no sense; the
// rest is judged by SpecLedger::Accept().
template <typename Request>
Result<std::optional<ConfirmTerms>> TermsOf(const Request& request) {
  if (!request.has_confirm_within()) {
    if (request.confirm_id().empty() && request.confirm_checks().empty()) {
      return std::nullopt;
    }
    return Fail(ErrorCode::kInvalidArgument,
                "an id or checks to confirm by need confirm_within");
  }
  Result<std::vector<Probe>> checks = ChecksFromProto(request.confirm_checks());
  if (!checks) return tl::unexpected(checks.error());
  return ConfirmTerms{request.confirm_id(),
                      std::chrono::floor<std::chrono::milliseconds>(
                          FromProto(request.confirm_within())),
                      *std::move(checks)};
}

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SERVICE_SPECS_H_
