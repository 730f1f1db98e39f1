#include "agent/service.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "agent/request_log.h"
#include "agent/service_specs.h"
#include "agent/tracer.h"
#include "agent/wire.h"
#include "proto/convert.h"
#include "proto/plan_lines.h"

namespace uplinkd {
namespace {

// Clients take 8 KiB of metadata, and binary ones travel as base64: this leaves
// room for the status' own words. Where there are more, they come without any.
constexpr std::size_t kMostBadSpec = 4500;
constexpr std::size_t kMostWords = 400;

// `text`, cut between two characters of UTF-8.
std::string Cut(const std::string& text) {
  if (text.size() <= kMostWords) return text;
  std::size_t end = kMostWords;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  return text.substr(0, end) + "...";
}

// As many of the violations as fit, and how many there are besides.
v1::BadSpec BadSpecOf(const std::vector<Violation>& violations) {
  v1::BadSpec bad;
  for (const Violation& violation : violations) {
    v1::Violation& message = *bad.add_violations();
    message.set_field(Cut(violation.field));
    message.set_message(Cut(violation.message));
    if (bad.ByteSizeLong() <= kMostBadSpec) continue;
    const int told = bad.violations_size() - 1;
    message.clear_field();
    message.set_message(
        "and " +
        std::to_string(violations.size() - static_cast<std::size_t>(told)) +
        " more");
    break;
  }
  return bad;
}

// INVALID_ARGUMENT, with the violations in the trailing metadata.
grpc::Status Refuse(grpc::ServerContext& context,
                    const std::vector<Violation>& violations) {
  context.AddTrailingMetadata(kBadSpecKey,
                              BadSpecOf(violations).SerializeAsString());
  const Violation& first = violations.front();
  std::string words =
      "the spec is refused: " + Cut(first.field) + ": " + Cut(first.message);
  if (violations.size() > 1) {
    words += " (and " + std::to_string(violations.size() - 1) + " more)";
  }
  return {grpc::INVALID_ARGUMENT, words};
}

}  // namespace

grpc::Status AgentService::Apply(grpc::ServerContext* context,
                                 const v1::ApplyRequest* request,
                                 v1::ApplyResponse* response) {
  Gate::Admission admission =
      admit_(*context, request->dry_run() ? kDryRunRpc : "Apply");
  if (!admission) return admission.status();
  const std::string& from = admission.caller().name;
  const Converted converted = SpecFromProto(request->router());
  if (!converted.violations.empty()) {
    grpc::Status refused = Refuse(*context, converted.violations);
    if (!request->dry_run()) LogRefusal(from, refused.error_message());
    return refused;
  }
  Offer offer{.spec = converted.spec,
              .expected_generation = request->expected_generation(),
              .from = from};
  if (request->has_expected_plan()) {
    offer.expected_plan = ExpectedFromProto(request->expected_plan());
  }
  if (request->dry_run()) return DryRun(std::move(offer), response);
  Result<std::optional<ConfirmTerms>> terms = TermsOf(*request);
  if (!terms) return ToGrpcStatus(terms.error());
  offer.confirm = *std::move(terms);
  return ApplyAndWait(*context, admission, std::move(offer), request->wait(),
                      response);
}

grpc::Status AgentService::DryRun(Offer offer, v1::ApplyResponse* response) {
  const Result<Engine::ApplyAnswer> answer = engine_.DryRun(std::move(offer));
  if (!answer) return ToGrpcStatus(answer.error());
  response->set_generation(answer->generation);
  response->set_in_sync(answer->report.plan.Empty());
  *response->mutable_plan() = ToPlanLines(answer->report);
  CopyWarnings(answer->report, response->mutable_warnings());
  if (const StatusPointer status = engine_.bulletin().status()) {
    *response->mutable_status() = *status;
  }
  return grpc::Status::OK;
}

grpc::Status AgentService::Diff(grpc::ServerContext* context,
                                const v1::DiffRequest* request,
                                v1::DiffResponse* response) {
  const Gate::Admission admission = admit_(*context, "Diff");
  if (!admission) return admission.status();
  std::optional<Spec> spec;
  if (request->has_router()) {
    Converted converted = SpecFromProto(request->router());
    if (!converted.violations.empty()) {
      return Refuse(*context, converted.violations);
    }
    spec = std::move(converted.spec);
  }
  const std::uint64_t from = request->from_generation();
  const Result<Report> report = from == 0
                                    ? engine_.Diff(std::move(spec))
                                    : engine_.DiffSince(from, std::move(spec));
  if (!report) return ToGrpcStatus(report.error());
  *response->mutable_plan() = ToPlanLines(*report);
  CopyWarnings(*report, response->mutable_warnings());
  return grpc::Status::OK;
}

grpc::Status AgentService::Get(grpc::ServerContext* context,
                               const v1::GetRequest*,
                               v1::GetResponse* response) {
  const Gate::Admission admission = admit_(*context, "Get");
  if (!admission) return admission.status();
  const Result<Engine::Current> current = engine_.Get();
  if (!current) return ToGrpcStatus(current.error());
  *response->mutable_router() = SpecToProto(current->spec);
  response->set_generation(current->generation);
  return grpc::Status::OK;
}

grpc::Status AgentService::Status(grpc::ServerContext* context,
                                  const v1::StatusRequest*,
                                  v1::StatusResponse* response) {
  const Gate::Admission admission = admit_(*context, "Status");
  if (!admission) return admission.status();
  const StatusPointer status = engine_.bulletin().status();
  if (status == nullptr) {
    return {grpc::UNAVAILABLE, "the agent is starting"};
  }
  *response->mutable_status() = *status;
  return grpc::Status::OK;
}

WatchHub::Stream* AgentService::Watch(grpc::CallbackServerContext* context,
                                      const v1::WatchRequest*) {
  return hub_.Watch(admit_(*context, "Watch"));
}

grpc::Status AgentService::Trace(grpc::ServerContext* context,
                                 const v1::TraceRequest* request,
                                 v1::TraceResponse* response) {
  const Gate::Admission admission = admit_(*context, "Trace");
  if (!admission) return admission.status();
  const Result<Flow> flow = FlowOf(*request);
  if (!flow) return ToGrpcStatus(flow.error());
  Result<v1::TraceResponse> answer = engine_.Trace(*flow);
  if (!answer) return ToGrpcStatus(answer.error());
  *response = *std::move(answer);
  return grpc::Status::OK;
}

grpc::Status AgentService::Cleanup(grpc::ServerContext* context,
                                   const v1::CleanupRequest* request,
                                   v1::CleanupResponse* response) {
  const Gate::Admission admission = admit_(*context, "Cleanup");
  if (!admission) return admission.status();
  const Result<Report> report =
      engine_.CleanUp(request->dry_run(), admission.caller().name);
  if (!report) return ToGrpcStatus(report.error());
  *response->mutable_plan() = ToPlanLines(*report);
  return grpc::Status::OK;
}

grpc::Status AgentService::Drain(grpc::ServerContext* context,
                                 const v1::DrainRequest* request,
                                 v1::DrainResponse* response) {
  const Gate::Admission admission = admit_(*context, "Drain");
  if (!admission) return admission.status();
  std::optional<std::chrono::milliseconds> deadline;
  if (request->has_deadline()) {
    deadline = std::chrono::floor<std::chrono::milliseconds>(
        FromProto(request->deadline()));
    if (deadline->count() < 0 || *deadline > kMaxDrainDeadline) {
      return {grpc::INVALID_ARGUMENT,
              "a deadline lies 0s to 8760h in the future"};
    }
  }
  const auto drain =
      engine_.Drain(request->uplink(), deadline, admission.caller().name);
  if (!drain) return ToGrpcStatus(drain.error());
  if (*drain) *response->mutable_deadline() = ToProto(**drain);
  return grpc::Status::OK;
}

grpc::Status AgentService::Undrain(grpc::ServerContext* context,
                                   const v1::UndrainRequest* request,
                                   v1::UndrainResponse*) {
  const Gate::Admission admission = admit_(*context, "Undrain");
  if (!admission) return admission.status();
  const Result<void> undrained =
      engine_.Undrain(request->uplink(), admission.caller().name);
  return undrained ? grpc::Status::OK : ToGrpcStatus(undrained.error());
}

grpc::Status AgentService::Connections(grpc::ServerContext* context,
                                       const v1::ConnectionsRequest* request,
                                       v1::ConnectionsResponse* response) {
  const Gate::Admission admission = admit_(*context, "Connections");
  if (!admission) return admission.status();
  const Result<ConnectionCensus> census =
      engine_.CountConnections(request->uplink());
  if (!census) return ToGrpcStatus(census.error());
  *response = census->ToProto(request->top());
  return grpc::Status::OK;
}

grpc::Status AgentService::Events(grpc::ServerContext* context,
                                  const v1::EventsRequest* request,
                                  v1::EventsResponse* response) {
  const Gate::Admission admission = admit_(*context, "Events");
  if (!admission) return admission.status();
  *response = engine_.events().Find(*request);
  return grpc::Status::OK;
}

grpc::Status AgentService::Pause(grpc::ServerContext* context,
                                 const v1::PauseRequest* request,
                                 v1::PauseResponse* response) {
  const Gate::Admission admission = admit_(*context, "Pause");
  if (!admission) return admission.status();
  const auto duration = std::chrono::floor<std::chrono::milliseconds>(
      FromProto(request->duration()));
  if (duration < std::chrono::seconds(1) || duration > kLongestPause) {
    return {grpc::INVALID_ARGUMENT, "a pause lasts 1s to 24h"};
  }
  const auto until =
      engine_.Pause(duration, admission.caller().name, request->reason());
  if (!until) return ToGrpcStatus(until.error());
  *response->mutable_until() = ToProto(*until);
  return grpc::Status::OK;
}

grpc::Status AgentService::Resume(grpc::ServerContext* context,
                                  const v1::ResumeRequest*,
                                  v1::ResumeResponse* response) {
  const Gate::Admission admission = admit_(*context, "Resume");
  if (!admission) return admission.status();
  const Result<bool> resumed = engine_.Resume(admission.caller().name);
  if (!resumed) return ToGrpcStatus(resumed.error());
  response->set_was_paused(*resumed);
  return grpc::Status::OK;
}

}  // namespace uplinkd
