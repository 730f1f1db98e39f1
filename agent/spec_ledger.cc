#include "agent/spec_ledger.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace uplinkd {
namespace {

constexpr const char* kNoSpecYet =
    "there is no spec yet; give one with `uplinkctl apply -f FILE`";

}  // namespace

SpecLedger::SpecLedger(SpecStore store)
    : store_(std::move(store)), why_none_(kNoSpecYet) {}

Result<void> SpecLedger::Restore() {
  Result<std::optional<StoredSpec>> stored = store_.Load();
  if (!stored) {
    why_none_ = stored.error().message;
    return tl::unexpected(stored.error());
  }
  current_ = std::move(*stored);
  return {};
}

Spec SpecLedger::Prepare(Spec spec) const {
  return AssignIds(std::move(spec), current_
                                        ? current_->ids
                                        : std::map<std::string, UplinkId>{});
}

Result<SpecLedger::Accepted> SpecLedger::Accept(
    Spec spec, std::uint64_t expected_generation, Durability durability) {
  if (expected_generation != 0 && expected_generation != generation()) {
    return Fail(ErrorCode::kAborted,
                "the spec is of generation " + std::to_string(generation()) +
                    ", not " + std::to_string(expected_generation));
  }
  spec = Prepare(std::move(spec));
  if (current_ && current_->spec == spec) return Accepted{generation(), true};

  StoredSpec next;
  next.generation = generation() + 1;
  next.ids = RememberIds(current_ ? current_->ids : next.ids, spec);
  next.spec = std::move(spec);
  if (Result<void> saved = store_.Save(next); !saved) {
    if (durability == Durability::kRequired) {
      return tl::unexpected(saved.error());
    }
    spdlog::warn("the spec will not survive a restart: {}",
                 saved.error().message);
  }
  current_ = std::move(next);
  return Accepted{generation(), false};
}

Result<void> SpecLedger::Forget() {
  if (Result<void> forgotten = store_.Forget(); !forgotten) return forgotten;
  current_.reset();
  why_none_ = kNoSpecYet;
  return {};
}

}  // namespace uplinkd
