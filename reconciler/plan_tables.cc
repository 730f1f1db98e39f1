#include "reconciler/plan_tables.h"

#include <algorithm>
#include <string>
#include <utility>

#include "reconciler/common_rules.h"

namespace uplinkd {
namespace {

using Kind = ChainEdit::Kind;

ChainEdit Edit(Kind kind, std::string chain, Cause cause, std::string reason) {
  ChainEdit edit;
  edit.kind = kind;
  edit.chain = std::move(chain);
  edit.cause = cause;
  edit.reason = std::move(reason);
  return edit;
}

// The edits between two versions of one chain.
class ChainDiff {
 public:
  ChainDiff(const std::string& name, const Chain& have, const Chain& want,
            bool is_new, std::vector<ChainEdit>& edits)
      : name_(name), have_(have), want_(want), is_new_(is_new), edits_(edits) {}

  void Run() {
    std::vector<CommonRule> common = CommonRules(have_, want_);
    common.push_back({have_.size(), want_.size()});
    CommonRule from;
    for (const CommonRule& to : common) {
      Gap(from, to);
      from = {to.have + 1, to.want + 1};
    }
  }

 private:
  // Once everything before is in place, want_[j] belongs at position j.
  void Gap(const CommonRule& from, const CommonRule& to) {
    const bool removes = from.have < to.have;
    const bool adds = from.want < to.want;
    for (std::size_t i = from.have; i < to.have; ++i) {
      Push(Kind::kDeleteRule, from.want, have_[i],
           adds ? Cause::kModified : Cause::kExtra, DeleteReason(have_[i]));
    }
    for (std::size_t j = from.want; j < to.want; ++j) {
      Push(Kind::kInsertRule, j, want_[j],
           removes ? Cause::kModified : Cause::kMissing, InsertReason(removes));
    }
  }

  void Push(Kind kind, std::size_t position, const ChainRule& rule, Cause cause,
            std::string reason) {
    ChainEdit edit = Edit(kind, name_, cause, std::move(reason));
    edit.position = position;
    edit.rule = rule;
    edits_.push_back(std::move(edit));
  }

  std::string DeleteReason(const ChainRule& rule) const {
    if (std::ranges::find(want_, rule) != want_.end()) {
      return "the rule stands twice or in the wrong place in " + name_;
    }
    return name_ + " should not have this rule";
  }

  std::string InsertReason(bool removes) const {
    if (is_new_) return "chain " + name_ + " is new";
    if (removes) return name_ + " has another rule in this place";
    return name_ + " lacks this rule";
  }

  const std::string& name_;
  const Chain& have_;
  const Chain& want_;
  bool is_new_;
  std::vector<ChainEdit>& edits_;
};

std::string TargetChain(const ChainRule& rule) {
  const auto* jump = std::get_if<JumpTarget>(&rule.target);
  return jump == nullptr ? "" : jump->chain;
}

ChainEdit JumpEdit(Kind kind, XtHook hook, const HookJump& jump, Cause cause,
                   std::string reason) {
  ChainEdit edit = Edit(kind, "", cause, std::move(reason));
  edit.hook = hook;
  edit.position = jump.position;
  edit.rule = jump.rule;
  return edit;
}

// Jumps that stand right from the top on stay; all others go, from the bottom
// up, so that no position moves before its turn; then the missing ones come.
void DiffJumps(XtHook hook, const std::vector<HookJump>& have,
               const std::vector<HookJump>& want,
               std::vector<ChainEdit>& edits) {
  const auto kept = static_cast<std::size_t>(
      std::ranges::mismatch(have, want).in1 - have.begin());
  const std::string name(XtHookName(hook));
  const bool moved = kept < want.size() && kept < have.size();
  for (std::size_t i = have.size(); i-- > kept;) {
    const std::string chain = TargetChain(have[i].rule);
    std::string reason = name;
    reason.append(" must not jump to ").append(chain).append(" here");
    edits.push_back(JumpEdit(Kind::kDeleteJump, hook, have[i],
                             moved ? Cause::kModified : Cause::kExtra,
                             std::move(reason)));
  }
  for (std::size_t i = kept; i < want.size(); ++i) {
    const std::string chain = TargetChain(want[i].rule);
    std::string reason;
    if (moved) {
      reason.append("the jump to ").append(chain);
      reason.append(" must come first in ").append(name);
    } else {
      reason.append(name).append(" does not jump to ").append(chain);
    }
    edits.push_back(JumpEdit(Kind::kInsertJump, hook, want[i],
                             moved ? Cause::kModified : Cause::kMissing,
                             std::move(reason)));
  }
}

void DiffAllJumps(const XtTableState& have, const XtTableState& want,
                  std::vector<ChainEdit>& edits) {
  const std::vector<HookJump> none;
  for (const XtHook hook :
       {XtHook::kPrerouting, XtHook::kOutput, XtHook::kPostrouting}) {
    const auto has = have.jumps.find(hook);
    const auto wants = want.jumps.find(hook);
    DiffJumps(hook, has == have.jumps.end() ? none : has->second,
              wants == want.jumps.end() ? none : wants->second, edits);
  }
}

// ---- ApplyEdits ----

tl::unexpected<Error> Misfit(const ChainEdit& edit, const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument,
              what + " (" +
                  (edit.chain.empty() ? std::string(XtHookName(edit.hook))
                                      : edit.chain) +
                  ")");
}

Result<void> ApplyToRules(const ChainEdit& edit, Chain& chain) {
  const auto place = static_cast<std::ptrdiff_t>(edit.position);
  if (edit.kind == Kind::kInsertRule) {
    if (edit.position > chain.size()) return Misfit(edit, "no such position");
    chain.insert(chain.begin() + place, edit.rule);
    return {};
  }
  if (edit.position >= chain.size() || chain[edit.position] != edit.rule) {
    return Misfit(edit, "another rule stands there");
  }
  chain.erase(chain.begin() + place);
  return {};
}

Result<void> ApplyToChain(const ChainEdit& edit, XtTableState& state) {
  const auto chain = state.chains.find(edit.chain);
  if (edit.kind == Kind::kCreateChain) {
    if (chain != state.chains.end()) return Misfit(edit, "chain exists");
    state.chains.emplace(edit.chain, Chain{});
    return {};
  }
  if (chain == state.chains.end()) return Misfit(edit, "no such chain");
  if (edit.kind == Kind::kFlushChain) {
    chain->second.clear();
    return {};
  }
  if (edit.kind == Kind::kDeleteChain) {
    if (!chain->second.empty()) return Misfit(edit, "chain is not empty");
    state.chains.erase(chain);
    return {};
  }
  return ApplyToRules(edit, chain->second);
}

Result<void> ApplyToJumps(const ChainEdit& edit, XtTableState& state) {
  std::vector<HookJump>& jumps = state.jumps[edit.hook];
  auto place =
      std::ranges::lower_bound(jumps, edit.position, {}, &HookJump::position);
  if (edit.kind == Kind::kInsertJump) {
    place = jumps.insert(place, {edit.position, edit.rule});
    for (++place; place != jumps.end(); ++place) ++place->position;
    return {};
  }
  if (place == jumps.end() || *place != HookJump{edit.position, edit.rule}) {
    return Misfit(edit, "no such jump");
  }
  place = jumps.erase(place);
  for (; place != jumps.end(); ++place) --place->position;
  if (jumps.empty()) state.jumps.erase(edit.hook);
  return {};
}

// ---- WithStillUsed ----

// A rule that jumps may only stay where a wanted rule makes the same jump:
// else its target may be gone, or lead back here.
bool MayStay(const ChainRule& rule, const Chain& want) {
  const std::string target = TargetChain(rule);
  bool jumps_alike = target.empty();
  for (const ChainRule& wanted : want) {
    if (wanted == rule) return false;
    jumps_alike = jumps_alike || TargetChain(wanted) == target;
  }
  return jumps_alike;
}

Chain MergeStillUsed(const Chain& have, const Chain& want,
                     const std::function<bool(const ChainRule&)>& still_used) {
  Chain merged;
  std::vector<CommonRule> common = CommonRules(have, want);
  common.push_back({have.size(), want.size()});
  CommonRule from;
  for (const CommonRule& to : common) {
    for (std::size_t i = from.have; i < to.have; ++i) {
      if (still_used(have[i]) && MayStay(have[i], want)) {
        merged.push_back(have[i]);
      }
    }
    // With to.want itself, except at the end.
    const std::size_t end = std::min(to.want + 1, want.size());
    for (std::size_t j = from.want; j < end; ++j) merged.push_back(want[j]);
    from = {to.have + 1, to.want + 1};
  }
  return merged;
}

}  // namespace

std::vector<ChainEdit> DiffTables(const XtTableState& have,
                                  const XtTableState& want) {
  std::vector<ChainEdit> edits;
  if (have == want) return edits;  // as in nearly every pass
  for (const auto& [name, rules] : want.chains) {
    if (have.chains.contains(name)) continue;
    edits.push_back(Edit(Kind::kCreateChain, name, Cause::kMissing,
                         "chain " + name + " does not exist"));
  }
  for (const auto& [name, rules] : want.chains) {
    const auto has = have.chains.find(name);
    const bool is_new = has == have.chains.end();
    const Chain none;
    ChainDiff(name, is_new ? none : has->second, rules, is_new, edits).Run();
  }
  DiffAllJumps(have, want, edits);
  // All are emptied before any is deleted: they may refer to each other.
  for (const Kind kind : {Kind::kFlushChain, Kind::kDeleteChain}) {
    for (const auto& [name, rules] : have.chains) {
      if (want.chains.contains(name)) continue;
      if (kind == Kind::kFlushChain && rules.empty()) continue;
      edits.push_back(Edit(kind, name, Cause::kExtra,
                           "chain " + name + " is not wanted any more"));
    }
  }
  return edits;
}

Result<XtTableState> ApplyEdits(XtTableState state,
                                const std::vector<ChainEdit>& edits) {
  for (const ChainEdit& edit : edits) {
    const bool jump =
        edit.kind == Kind::kInsertJump || edit.kind == Kind::kDeleteJump;
    const Result<void> applied =
        jump ? ApplyToJumps(edit, state) : ApplyToChain(edit, state);
    if (!applied) return tl::unexpected<Error>(applied.error());
  }
  return state;
}

XtTableState WithStillUsed(
    const XtTableState& have, const XtTableState& want,
    const std::function<bool(const ChainRule&)>& still_used) {
  XtTableState merged = want;
  for (auto& [name, rules] : merged.chains) {
    const auto has = have.chains.find(name);
    if (has != have.chains.end()) {
      rules = MergeStillUsed(has->second, rules, still_used);
    }
  }
  return merged;
}

}  // namespace uplinkd
