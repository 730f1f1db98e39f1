#include "tests/core/fake_xtables.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <utility>

#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

using Kind = ChainEdit::Kind;
using Rules = std::vector<FakeRule>;

std::string JumpOf(const ChainRule& rule) {
  const auto* jump = std::get_if<JumpTarget>(&rule.target);
  return jump == nullptr ? "" : jump->chain;
}

bool IsOurJump(const FakeRule& rule) {
  return IsOwnedChain(JumpOf(rule.rule));
}

Error Errno(ErrorCode code, int system_errno, std::string message) {
  return Error{code, std::move(message), system_errno};
}

// ---- the edits themselves, as libiptc does them ----

std::optional<Error> EditRules(FakeXtable& table, const ChainEdit& edit,
                               Rules& rules) {
  const bool insert =
      edit.kind == Kind::kInsertRule || edit.kind == Kind::kInsertJump;
  const auto place = static_cast<std::ptrdiff_t>(edit.position);
  if (insert) {
    if (edit.position > rules.size()) {
      return Errno(ErrorCode::kInternal, E2BIG, "Index of insertion too big");
    }
    rules.insert(rules.begin() + place, table.NewRule(edit.rule));
    return std::nullopt;
  }
  if (edit.position >= rules.size()) {
    return Errno(ErrorCode::kInternal, E2BIG, "Index of deletion too big");
  }
  if (rules[edit.position].rule != edit.rule) {
    return Errno(ErrorCode::kInternal, EINVAL, "the wrong rule would go");
  }
  rules.erase(rules.begin() + place);
  return std::nullopt;
}

bool IsReferenced(const FakeXtable& table, const std::string& chain) {
  const auto jumps_there = [&chain](const FakeRule& rule) {
    return JumpOf(rule.rule) == chain;
  };
  const auto any = [&](const auto& named) {
    return std::ranges::any_of(named.second, jumps_there);
  };
  return std::ranges::any_of(table.hooks, any) ||
         std::ranges::any_of(table.chains, any);
}

std::optional<Error> EditChain(FakeXtable& table, const ChainEdit& edit) {
  const auto chain = table.chains.find(edit.chain);
  const bool exists = chain != table.chains.end();
  if (!IsOwnedChain(edit.chain)) {
    return Errno(ErrorCode::kInternal, EPERM, "a foreign chain is edited");
  }
  if (edit.kind == Kind::kCreateChain) {
    if (exists) return Errno(ErrorCode::kAlreadyExists, EEXIST, "File exists");
    if (edit.chain.size() > kMaxChainName) {
      return Errno(ErrorCode::kInvalidArgument, EINVAL, "Name too long");
    }
    table.chains[edit.chain];
    return std::nullopt;
  }
  if (!exists) {
    return Errno(ErrorCode::kNotFound, ENOENT,
                 "No chain/target/match by that name");
  }
  if (edit.kind == Kind::kFlushChain) {
    chain->second.clear();
    return std::nullopt;
  }
  if (edit.kind != Kind::kDeleteChain) {
    return EditRules(table, edit, chain->second);
  }
  if (!chain->second.empty()) {
    return Errno(ErrorCode::kInternal, ENOTEMPTY, "Chain is not empty");
  }
  if (IsReferenced(table, edit.chain)) {
    return Errno(ErrorCode::kFailedPrecondition, EBUSY, "Too many links");
  }
  table.chains.erase(chain);
  return std::nullopt;
}

// ---- what the kernel checks when the table is replaced ----

// Estimators by name, with their parameters.
using Estimators = std::map<std::string, EstimateTarget>;

template <typename Visit>
void ForEachInBlobOrder(const FakeXtable& table, Visit visit) {
  for (const auto& [hook, rules] : table.hooks) {
    for (const FakeRule& rule : rules) visit(rule.rule);
  }
  for (const auto& [name, rules] : table.chains) {
    for (const FakeRule& rule : rules) visit(rule.rule);
  }
}

Estimators EstimatorsOf(const FakeXtable& table) {
  Estimators estimators;
  ForEachInBlobOrder(table, [&](const ChainRule& rule) {
    const auto* estimate = std::get_if<EstimateTarget>(&rule.target);
    if (estimate != nullptr) {
      estimators.emplace(estimate->estimator, *estimate);
    }
  });
  return estimators;
}

std::optional<Error> CheckEstimators(const FakeXtable& next, Estimators known) {
  std::optional<Error> error;
  const auto check_match = [&](const std::string& name) {
    if (known.contains(name)) return;
    error = Errno(ErrorCode::kNotFound, ENOENT,
                  "No chain/target/match by that name");
  };
  ForEachInBlobOrder(next, [&](const ChainRule& rule) {
    for (const Match& match : rule.matches) {
      const auto* compare = std::get_if<FreeCapacityMatch>(&match);
      if (compare == nullptr) continue;
      check_match(compare->left.estimator);
      if (compare->right) check_match(compare->right->estimator);
    }
    const auto* estimate = std::get_if<EstimateTarget>(&rule.target);
    if (estimate == nullptr) return;
    const auto [known_one, is_new] =
        known.emplace(estimate->estimator, *estimate);
    if (known_one->second != *estimate || estimate->estimator.size() > 15) {
      error = Errno(ErrorCode::kInvalidArgument, EINVAL, "Invalid argument");
    }
  });
  return error;
}

// Depth first from one chain; `path` holds the chains on the way here.
std::optional<Error> CheckJumps(const FakeXtable& table, const Rules& rules,
                                std::set<std::string>& path,
                                std::set<std::string>& done) {
  for (const FakeRule& rule : rules) {
    const std::string target = JumpOf(rule.rule);
    if (target.empty() || done.contains(target)) continue;
    if (!path.insert(target).second) {
      return Errno(ErrorCode::kInvalidArgument, ELOOP, "Loop found in table");
    }
    const auto chain = table.chains.find(target);
    if (chain == table.chains.end()) {
      return Errno(ErrorCode::kNotFound, ENOENT,
                   "No chain/target/match by that name");
    }
    if (auto error = CheckJumps(table, chain->second, path, done)) return error;
    path.erase(target);
    done.insert(target);
  }
  return std::nullopt;
}

std::optional<Error> CheckAllJumps(const FakeXtable& table) {
  std::set<std::string> path;
  std::set<std::string> done;
  for (const auto& [hook, rules] : table.hooks) {
    if (auto error = CheckJumps(table, rules, path, done)) return error;
  }
  // Of unreachable chains only the targets must exist.
  std::optional<Error> error;
  ForEachInBlobOrder(table, [&](const ChainRule& rule) {
    const std::string target = JumpOf(rule);
    if (target.empty() || table.chains.contains(target)) return;
    error = Errno(ErrorCode::kNotFound, ENOENT,
                  "No chain/target/match by that name");
  });
  return error;
}

}  // namespace

XtTableState FakeXtable::Ours() const {
  XtTableState ours;
  for (const auto& [hook, rules] : hooks) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!IsOurJump(rules[i])) continue;
      ours.jumps[hook].push_back({i, rules[i].rule});
    }
  }
  for (const auto& [name, rules] : chains) {
    if (!IsOwnedChain(name)) continue;
    Chain& chain = ours.chains[name];
    for (const FakeRule& rule : rules) chain.push_back(rule.rule);
  }
  return ours;
}

FakeXtable FakeXtable::Foreign() const {
  FakeXtable foreign = *this;
  foreign.next_counter = 0;
  for (auto& [hook, rules] : foreign.hooks) std::erase_if(rules, IsOurJump);
  std::erase_if(foreign.hooks,
                [](const auto& hook) { return hook.second.empty(); });
  std::erase_if(foreign.chains,
                [](const auto& chain) { return IsOwnedChain(chain.first); });
  return foreign;
}

void FakeXtable::SetOurs(const XtTableState& ours) {
  FakeXtable next = Foreign();
  next.next_counter = next_counter;
  for (const auto& [hook, jumps] : ours.jumps) {
    Rules& rules = next.hooks[hook];
    for (const HookJump& jump : jumps) {
      const std::size_t place = std::min(jump.position, rules.size());
      rules.insert(rules.begin() + static_cast<std::ptrdiff_t>(place),
                   next.NewRule(jump.rule));
    }
  }
  for (const auto& [name, chain] : ours.chains) {
    Rules& rules = next.chains[name];
    for (const ChainRule& rule : chain) rules.push_back(next.NewRule(rule));
  }
  *this = std::move(next);
}

Outcome FakeXtable::Commit(const EditXtTable& edit) {
  if (edit.expected != Ours()) {
    return {StepResult::kConflict,
            Errno(ErrorCode::kAborted, EAGAIN, "the table has changed")};
  }
  FakeXtable next = *this;
  std::optional<Error> error;
  for (const ChainEdit& one : edit.edits) {
    const bool jump =
        one.kind == Kind::kInsertJump || one.kind == Kind::kDeleteJump;
    error = jump ? EditRules(next, one, next.hooks[one.hook])
                 : EditChain(next, one);
    if (error) return {StepResult::kFailed, *error};
  }
  error = CheckAllJumps(next);
  if (!error) error = CheckEstimators(next, EstimatorsOf(*this));
  if (error) return {StepResult::kFailed, *error};
  *this = std::move(next);
  return {};
}

}  // namespace uplinkd
