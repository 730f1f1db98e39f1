#include "agent/gate.h"

#include <spdlog/fmt/fmt.h>

#include <limits>
#include <utility>

#include "agent/access_log.h"

namespace uplinkd {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();
constexpr std::string_view kRootKey = "uid 0";

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

Gate::Admission::Admission(Gate* gate, Caller caller, const RpcRule& rule,
                           grpc::Status status)
    : gate_(gate),
      caller_(std::move(caller)),
      place_(rule.place),
      needed_(rule.role),
      status_(std::move(status)) {}

Gate::Admission::Admission(Admission&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr)),
      caller_(std::move(other.caller_)),
      place_(other.place_),
      needed_(other.needed_),
      long_(other.long_),
      role_(std::move(other.role_)),
      status_(std::move(other.status_)) {}

Gate::Admission::~Admission() {
  if (gate_ != nullptr) gate_->Leave(caller_, place_, long_);
}

grpc::Status Gate::Admission::StayLong() {
  if (gate_ == nullptr || long_) return grpc::Status::OK;
  grpc::Status status = gate_->StayLong(caller_);
  long_ = status.ok();
  return status;
}

Gate::Gate(GateLimits limits, Clock clock)
    : limits_(limits),
      clock_(std::move(clock)),
      requests_(limits.requests),
      changes_(limits.changes) {}

Gate::Admission Gate::Admit(Caller caller, std::string_view rpc) {
  const RpcRule rule = RuleOf(rpc);
  grpc::Status status = CountRequest(caller, rule);
  const bool counted = status.ok();
  if (counted && caller.role < rule.role) {
    status = Denied(caller, rule);
    LogDenied(caller, rpc, status.error_message());
    return {nullptr, std::move(caller), rule, std::move(status)};
  }
  if (counted) status = TakePlace(caller, rule);
  if (!status.ok()) LogHeldBack(caller, rpc, status.error_message());
  Gate* const gate = status.ok() ? this : nullptr;
  return {gate, std::move(caller), rule, std::move(status)};
}

Gate::Share Gate::ShareOf(Place place) const {
  switch (place) {
    case Place::kUrgent: return {limits_.urgent_at_once, limits_.urgent_in_all};
    case Place::kReflection:
      return {limits_.reflections_at_once, limits_.reflections_in_all};
    // Of all, the bulletin has its own limit.
    case Place::kStream: return {limits_.streams, kNoLimit};
    case Place::kThread: break;
  }
  return {limits_.at_once, limits_.in_all};
}

grpc::Status Gate::CountRequest(const Caller& caller, const RpcRule& rule) {
  const std::lock_guard lock(mutex_);
  if (const auto wait = requests_.Take(caller.key, rule.cost, clock_())) {
    return TooMany(caller, "requests", *wait);
  }
  return grpc::Status::OK;
}

grpc::Status Gate::TakePlace(const Caller& caller, const RpcRule& rule) {
  const std::lock_guard lock(mutex_);
  const auto place = static_cast<std::size_t>(rule.place);
  const Share share = ShareOf(rule.place);
  const auto found = under_way_.find(caller.key);
  const int before = found == under_way_.end() ? 0 : found->second[place];
  if (before >= share.of_a_caller) {
    if (rule.place == Place::kStream) {
      return Exhausted(
          fmt::format("{} watches {} times already, the most there may be",
                      caller.key, before));
    }
    return Exhausted(fmt::format(
        "{} requests from {} are under way, the most there may be: try again "
        "when one is answered",
        before, caller.key));
  }
  if (caller.key != kRootKey && (in_all_[place] >= share.of_all ||
                                 (caller.role == Role::kReader &&
                                  of_readers_[place] >= share.of_all / 2))) {
    return Exhausted(
        "too many requests of all callers are under way: try again later");
  }
  if (rule.change) {
    if (const auto wait = changes_.Take(caller.key, 1, clock_())) {
      return TooMany(caller, "changes", *wait);
    }
  }
  ++under_way_[caller.key][place];
  CountInAll(caller, rule.place, 1);
  return grpc::Status::OK;
}

grpc::Status Gate::StayLong(const Caller& caller) {
  const std::lock_guard lock(mutex_);
  if (caller.key != kRootKey && staying_long_ >= limits_.waiting_in_all) {
    return Exhausted(
        fmt::format("{} requests wait for the kernel, the most there may be: "
                    "ask without waiting, or try again later",
                    staying_long_));
  }
  if (caller.key != kRootKey) ++staying_long_;
  return grpc::Status::OK;
}

void Gate::CountInAll(const Caller& caller, Place place, int change) {
  if (caller.key == kRootKey) return;
  const auto index = static_cast<std::size_t>(place);
  in_all_[index] += change;
  if (caller.role == Role::kReader) of_readers_[index] += change;
}

void Gate::Leave(const Caller& caller, Place place, bool stayed_long) {
  const std::lock_guard lock(mutex_);
  CountInAll(caller, place, -1);
  if (stayed_long && caller.key != kRootKey) --staying_long_;
  const auto found = under_way_.find(caller.key);
  if (found == under_way_.end()) return;
  --found->second[static_cast<std::size_t>(place)];
  if (found->second == UnderWay{}) under_way_.erase(found);
}

}  // namespace uplinkd
