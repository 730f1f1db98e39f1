#include "agent/wire.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "proto/plan_lines.h"
#include "proto/text_check.h"
#include "reconciler/render.h"

namespace uplinkd {
namespace {

grpc::StatusCode CodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return grpc::INVALID_ARGUMENT;
    case ErrorCode::kNotFound: return grpc::NOT_FOUND;
    case ErrorCode::kAlreadyExists: return grpc::ALREADY_EXISTS;
    case ErrorCode::kPermissionDenied: return grpc::PERMISSION_DENIED;
    case ErrorCode::kFailedPrecondition: return grpc::FAILED_PRECONDITION;
    case ErrorCode::kAborted: return grpc::ABORTED;
    case ErrorCode::kResourceExhausted: return grpc::RESOURCE_EXHAUSTED;
    case ErrorCode::kDeadlineExceeded: return grpc::DEADLINE_EXCEEDED;
    case ErrorCode::kUnavailable: return grpc::UNAVAILABLE;
    case ErrorCode::kInternal: break;
  }
  return grpc::INTERNAL;
}

// 64 bits hold 292 years of nanoseconds. With this, about 142 years, the
// distance between a moment of this century and any other is within them, too.
constexpr std::int64_t kMostSeconds = 4'500'000'000;

std::chrono::nanoseconds Bounded(std::int64_t seconds, std::int32_t nanos) {
  return std::chrono::seconds(
             std::clamp(seconds, -kMostSeconds, kMostSeconds)) +
         std::chrono::nanoseconds(nanos);
}

}  // namespace

grpc::Status ToGrpcStatus(const Error& error) {
  return {CodeOf(error.code), error.message};
}

google::protobuf::Timestamp ToProto(
    std::chrono::system_clock::time_point time) {
  const std::chrono::nanoseconds since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  google::protobuf::Timestamp message;
  message.set_seconds(seconds.count());
  message.set_nanos(static_cast<std::int32_t>((since_epoch - seconds).count()));
  return message;
}

google::protobuf::Duration ToProto(std::chrono::nanoseconds duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(
      duration.count());
}

std::chrono::system_clock::time_point FromProto(
    const google::protobuf::Timestamp& time) {
  return std::chrono::system_clock::time_point(
      Bounded(time.seconds(), time.nanos()));
}

std::chrono::nanoseconds FromProto(const google::protobuf::Duration& duration) {
  return Bounded(duration.seconds(), duration.nanos());
}

v1::Event ToEvent(const Report& report, Trigger trigger,
                  std::chrono::system_clock::time_point time) {
  v1::Event event;
  *event.mutable_time() = ToProto(time);
  event.set_trigger(std::string(TriggerName(trigger)));
  event.set_result(std::string(PassResultName(report.result)));
  *event.mutable_plan() = ToPlanLines(report);
  event.set_message(VisibleText(FirstFault(report)));
  return event;
}

v1::Event ToEvent(const CutOutcome& outcome,
                  std::chrono::system_clock::time_point time) {
  v1::Event event;
  *event.mutable_time() = ToProto(time);
  event.set_trigger(std::string(CutReasonName(outcome.cut.reason)));
  event.set_result(outcome.connections ? "cut" : "cut-failed");
  event.set_message(VisibleText(outcome.Words()));
  return event;
}

std::string FirstFault(const Report& report) {
  if (report.error) return report.error->message;
  for (const Outcome& outcome : report.outcomes) {
    if (outcome.result == StepResult::kFailed) return outcome.error.message;
  }
  for (const Outcome& outcome : report.outcomes) {
    if (outcome.result == StepResult::kConflict) return outcome.error.message;
  }
  if (!report.plan.conflicts.empty()) {
    return "a route that is not ours is in the way: " +
           RenderRoute(report.plan.conflicts.front().foreign);
  }
  return "";
}

void ShortenPlan(v1::Event& event, int most) {
  const int more = event.plan_size() - most;
  if (more <= 0) return;
  event.mutable_plan()->DeleteSubrange(most, more);
  event.set_omitted_lines(event.omitted_lines() +
                          static_cast<std::uint32_t>(more));
}

}  // namespace uplinkd
