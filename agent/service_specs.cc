#include "agent/service_specs.h"

#include <algorithm>

#include "agent/service.h"
#include "agent/wire.h"
#include "proto/plan_lines.h"
#include "proto/text_check.h"

namespace uplinkd {
namespace {

// A client waits as long as it likes, within reason: it holds a thread.
constexpr std::chrono::hours kLongestWait{1};

std::chrono::milliseconds PatienceOf(const google::protobuf::Duration& wait) {
  const auto patience =
      std::chrono::floor<std::chrono::milliseconds>(FromProto(wait));
  return std::clamp<std::chrono::milliseconds>(
      patience, std::chrono::milliseconds(0), kLongestWait);
}

bool IsProgrammed(const v1::Status& status) {
  return std::any_of(status.conditions().begin(), status.conditions().end(),
                     [](const v1::Condition& condition) {
                       return condition.type() == "Programmed" &&
                              condition.status() == "True";
                     });
}

}  // namespace

void CopyWarnings(const Report& report,
                  google::protobuf::RepeatedPtrField<std::string>* warnings) {
  for (const std::string& warning : report.warnings)
    *warnings->Add() = VisibleText(warning);
}

grpc::Status AgentService::ApplyAndWait(grpc::ServerContext& context,
                                        Gate::Admission& admission, Offer offer,
                                        const google::protobuf::Duration& wait,
                                        v1::ApplyResponse* response) {
  const std::chrono::milliseconds patience = PatienceOf(wait);
  if (patience.count() > 0) {
    // Before anything is done: the answer is to be a refusal.
    grpc::Status status = admission.StayLong();
    if (!status.ok()) return status;
  }
  const Result<Engine::ApplyAnswer> answer = engine_.Apply(std::move(offer));
  if (!answer) return ToGrpcStatus(answer.error());
  const std::uint64_t generation = answer->generation;
  response->set_generation(generation);
  response->set_unchanged(answer->unchanged);
  *response->mutable_plan() = ToPlanLines(answer->report);
  CopyWarnings(answer->report, response->mutable_warnings());
  if (answer->confirm) *response->mutable_pending_confirm() = *answer->confirm;
  bool in_sync = false;
  // Once another generation, or none, has taken its place it never will be.
  const auto decided = [generation, &in_sync](const v1::Status& status) {
    in_sync = status.generation() == generation &&
              status.observed_generation() == generation &&
              IsProgrammed(status);
    return in_sync || status.generation() != generation;
  };
  (void)engine_.bulletin().WaitUntil(
      decided, patience, [&context] { return context.IsCancelled(); });
  response->set_in_sync(in_sync);
  if (const StatusPointer status = engine_.bulletin().status()) {
    *response->mutable_status() = *status;
  }
  return grpc::Status::OK;
}

grpc::Status AgentService::Rollback(grpc::ServerContext* context,
                                    const v1::RollbackRequest* request,
                                    v1::ApplyResponse* response) {
  Gate::Admission admission =
      admit_(*context, request->dry_run() ? kDryRunRpc : "Rollback");
  if (!admission) return admission.status();
  const Result<SpecHistory::Recalled> recalled =
      engine_.Recall(request->to_generation());
  if (!recalled) return ToGrpcStatus(recalled.error());
  if (request->dry_run()) {
    return DryRun({.spec = recalled->spec,
                   .expected_generation = request->expected_generation()},
                  response);
  }
  Result<std::optional<ConfirmTerms>> terms = TermsOf(*request);
  if (!terms) return ToGrpcStatus(terms.error());
  // What is the one before, somebody else's apply may have changed meanwhile.
  const std::uint64_t expected = request->expected_generation() == 0
                                     ? recalled->followed
                                     : request->expected_generation();
  return ApplyAndWait(*context, admission,
                      {.spec = recalled->spec,
                       .expected_generation = expected,
                       .from = admission.caller().name,
                       .confirm = *std::move(terms),
                       .back_to = recalled->generation},
                      request->wait(), response);
}

grpc::Status AgentService::Confirm(grpc::ServerContext* context,
                                   const v1::ConfirmRequest* request,
                                   v1::ConfirmResponse* response) {
  const Gate::Admission admission = admit_(*context, "Confirm");
  if (!admission) return admission.status();
  const std::string& from = admission.caller().name;
  if (request->has_extend()) {
    const auto deadline =
        engine_.ExtendConfirm(request->id(),
                              std::chrono::floor<std::chrono::milliseconds>(
                                  FromProto(request->extend())),
                              from);
    if (!deadline) return ToGrpcStatus(deadline.error());
    *response->mutable_deadline() = ToProto(*deadline);
    if (const StatusPointer status = engine_.bulletin().status()) {
      response->set_generation(status->generation());
    }
    return grpc::Status::OK;
  }
  const Result<std::uint64_t> generation = engine_.Confirm(request->id(), from);
  if (!generation) return ToGrpcStatus(generation.error());
  response->set_generation(*generation);
  return grpc::Status::OK;
}

grpc::Status AgentService::CancelConfirm(
    grpc::ServerContext* context, const v1::CancelConfirmRequest* request,
    v1::CancelConfirmResponse* response) {
  const Gate::Admission admission = admit_(*context, "CancelConfirm");
  if (!admission) return admission.status();
  const Result<Engine::ApplyAnswer> answer =
      engine_.CancelConfirm(request->id(), admission.caller().name);
  if (!answer) return ToGrpcStatus(answer.error());
  response->set_generation(answer->generation);
  *response->mutable_plan() = ToPlanLines(answer->report);
  return grpc::Status::OK;
}

grpc::Status AgentService::History(grpc::ServerContext* context,
                                   const v1::HistoryRequest* request,
                                   v1::HistoryResponse* response) {
  const Gate::Admission admission = admit_(*context, "History");
  if (!admission) return admission.status();
  Result<v1::HistoryResponse> found = engine_.History(*request);
  if (!found) return ToGrpcStatus(found.error());
  *response = *std::move(found);
  return grpc::Status::OK;
}

}  // namespace uplinkd
