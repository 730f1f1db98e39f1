#include "agent/gate.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "agent/access_log.h"

namespace uplinkd {
namespace {

grpc::Status Exhausted(const std::string& words) {
  return {grpc::RESOURCE_EXHAUSTED, words};
}

grpc::Status TooMany(const Caller& caller, const char* what,
                     TokenBucket::Time wait) {
  const auto milliseconds =
      std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  return Exhausted(fmt::format("too many {} from {}: try again in {} ms", what,
                               caller.key, milliseconds));
}

grpc::Status Denied(const Caller& caller, const RpcRule& rule) {
  if (caller.role == Role::kNone) {
    return {grpc::PERMISSION_DENIED,
            fmt::format("{} has no role here; {} needs the role {}",
                        caller.name, rule.rpc, RoleName(rule.role))};
  }
  return {grpc::PERMISSION_DENIED,
          fmt::format("{} needs the role {}; {} has the role {}", rule.rpc,
                      RoleName(rule.role), caller.name, RoleName(caller.role))};
}

}  // namespace

Gate::Admission::Admission(Gate* gate, Caller caller, bool stream,
                           grpc::Status status)
    : gate_(gate),
      caller_(std::move(caller)),
      stream_(stream),
      status_(std::move(status)) {}

Gate::Admission::Admission(Admission&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr)),
      caller_(std::move(other.caller_)),
      stream_(other.stream_),
      status_(std::move(other.status_)) {}

Gate::Admission::~Admission() {
  if (gate_ != nullptr) gate_->Leave(caller_, stream_);
}

Gate::Gate(GateLimits limits, Clock clock)
    : limits_(limits),
      clock_(std::move(clock)),
      requests_(limits.requests),
      changes_(limits.changes) {}

Gate::Admission Gate::Admit(Caller caller, std::string_view rpc) {
  const RpcRule rule = RuleOf(rpc);
  if (caller.role < rule.role) {
    grpc::Status denied = Denied(caller, rule);
    LogDenied(caller, rpc, denied.error_message());
    return {nullptr, std::move(caller), rule.stream, std::move(denied)};
  }
  grpc::Status status = Count(caller, rule);
  Gate* const gate = status.ok() ? this : nullptr;
  if (!status.ok()) LogHeldBack(caller, rpc, status.error_message());
  return {gate, std::move(caller), rule.stream, std::move(status)};
}

grpc::Status Gate::Count(const Caller& caller, const RpcRule& rule) {
  const TokenBucket::Time now = clock_();
  const std::lock_guard lock(mutex_);
  const auto found = under_way_.find(caller.key);
  const UnderWay before =
      found == under_way_.end() ? UnderWay{} : found->second;
  if (rule.stream && before.streams >= limits_.streams) {
    return Exhausted(
        fmt::format("{} watches {} times already, the most there "
                    "may be",
                    caller.key, before.streams));
  }
  if (!rule.stream && before.calls >= limits_.at_once) {
    return Exhausted(fmt::format(
        "{} requests from {} are under way, the most there may be: try again "
        "when one is answered",
        before.calls, caller.key));
  }
  if (const auto wait = requests_.Take(caller.key, rule.cost, now)) {
    return TooMany(caller, "requests", *wait);
  }
  if (rule.change) {
    if (const auto wait = changes_.Take(caller.key, 1, now)) {
      return TooMany(caller, "changes", *wait);
    }
  }
  UnderWay& after = under_way_[caller.key];
  ++(rule.stream ? after.streams : after.calls);
  return grpc::Status::OK;
}

void Gate::Leave(const Caller& caller, bool stream) {
  const std::lock_guard lock(mutex_);
  const auto found = under_way_.find(caller.key);
  if (found == under_way_.end()) return;
  --(stream ? found->second.streams : found->second.calls);
  if (found->second.calls == 0 && found->second.streams == 0) {
    under_way_.erase(found);
  }
}

}  // namespace uplinkd
