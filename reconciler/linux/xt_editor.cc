#include "reconciler/linux/xt_editor.h"

#include <libiptc/libiptc.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "reconciler/linux/xt_codec.h"
#include "reconciler/linux/xt_error.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

constexpr std::array kHooks = {XtHook::kPrerouting, XtHook::kOutput,
                               XtHook::kPostrouting};

ChainRule Decoded(const ipt_entry* entry, const char* target) {
  return DecodeRule(
      std::as_bytes(
          std::span(reinterpret_cast<const char*>(entry), entry->next_offset)),
      target);
}

Chain DecodeChain(const char* name, xtc_handle* handle) {
  Chain rules;
  for (const ipt_entry* entry = iptc_first_rule(name, handle); entry != nullptr;
       entry = iptc_next_rule(entry, handle)) {
    rules.push_back(Decoded(entry, iptc_get_target(entry, handle)));
  }
  return rules;
}

std::vector<HookJump> DecodeJumps(const char* builtin, xtc_handle* handle) {
  std::vector<HookJump> jumps;
  std::size_t position = 0;
  for (const ipt_entry* entry = iptc_first_rule(builtin, handle);
       entry != nullptr; entry = iptc_next_rule(entry, handle)) {
    const char* target = iptc_get_target(entry, handle);
    if (IsOwnedChain(target)) {
      jumps.push_back({position, Decoded(entry, target)});
    }
    ++position;
  }
  return jumps;
}

// libiptc subtracts what it read from the counters of the policies when it
// commits: the programs zero them with every edit. Setting them is the one way
// to keep them. (What a policy counts between reading and committing is lost;
// libiptc adds that for rules only.)
void KeepPolicyCounters(xtc_handle* handle) {
  for (const char* chain = iptc_first_chain(handle); chain != nullptr;
       chain = iptc_next_chain(handle)) {
    xt_counters counters{};
    const char* policy = iptc_get_policy(chain, &counters, handle);
    if (policy != nullptr) iptc_set_policy(chain, policy, &counters, handle);
  }
}

Result<void> Refuse(const std::string& chain) {
  return Fail(ErrorCode::kInternal,
              "refused to edit the chain " + chain + ": not ours");
}

}  // namespace

void XtEditor::FreeHandle::operator()(xtc_handle* handle) const {
  iptc_free(handle);
}

Result<XtEditor> XtEditor::Open(XtTable table) {
  const std::string name(XtTableName(table));
  Handle handle(iptc_init(name.c_str()));
  if (!handle) {
    const int number = errno;
    return tl::unexpected(XtAccessError("cannot read the " + name + " table",
                                        number, iptc_strerror(number)));
  }
  return XtEditor(table, std::move(handle));
}

XtTableState XtEditor::Decode() const {
  XtTableState state;
  std::vector<const char*> ours;
  for (const char* name = iptc_first_chain(handle_.get()); name != nullptr;
       name = iptc_next_chain(handle_.get())) {
    if (IsOwnedChain(name)) ours.push_back(name);
  }
  for (const char* name : ours) {
    state.chains.emplace(name, DecodeChain(name, handle_.get()));
  }
  for (const XtHook hook : kHooks) {
    const std::string builtin(XtHookName(hook));
    if (iptc_builtin(builtin.c_str(), handle_.get()) == 0) continue;
    std::vector<HookJump> jumps = DecodeJumps(builtin.c_str(), handle_.get());
    if (!jumps.empty()) state.jumps.emplace(hook, std::move(jumps));
  }
  return state;
}

Result<void> XtEditor::Apply(const ChainEdit& edit) {
  using Kind = ChainEdit::Kind;
  if (edit.kind == Kind::kInsertJump || edit.kind == Kind::kDeleteJump) {
    return EditJump(edit);
  }
  if (!IsOwnedChain(edit.chain)) return Refuse(edit.chain);
  const char* chain = edit.chain.c_str();
  switch (edit.kind) {
    case Kind::kCreateChain:
      if (iptc_create_chain(chain, handle_.get()) != 0) return {};
      return tl::unexpected(ErrorOf("cannot create the chain " + edit.chain));
    case Kind::kFlushChain:
      if (iptc_flush_entries(chain, handle_.get()) != 0) return {};
      return tl::unexpected(ErrorOf("cannot flush the chain " + edit.chain));
    case Kind::kDeleteChain:
      if (iptc_delete_chain(chain, handle_.get()) != 0) return {};
      return tl::unexpected(
          ErrorOf("cannot delete the chain " + edit.chain,
                  errno == EMLINK ? "other rules still jump to it" : nullptr));
    case Kind::kInsertRule: return Insert(edit.chain, edit);
    default: return Delete(edit.chain, edit);
  }
}

Result<void> XtEditor::EditJump(const ChainEdit& edit) {
  const std::string builtin(XtHookName(edit.hook));
  if (edit.kind == ChainEdit::Kind::kDeleteJump) {
    if (!IsOwnJump(builtin.c_str(), edit.position)) return Refuse(builtin);
    return Delete(builtin, edit);
  }
  const auto* jump = std::get_if<JumpTarget>(&edit.rule.target);
  if (jump == nullptr || !IsOwnedChain(jump->chain)) return Refuse(builtin);
  return Insert(builtin, edit);
}

bool XtEditor::IsOwnJump(const char* chain, std::size_t position) const {
  const ipt_entry* entry = iptc_first_rule(chain, handle_.get());
  for (; entry != nullptr && position > 0; --position) {
    entry = iptc_next_rule(entry, handle_.get());
  }
  return entry != nullptr &&
         IsOwnedChain(iptc_get_target(entry, handle_.get()));
}

Result<void> XtEditor::Insert(const std::string& chain, const ChainEdit& edit) {
  const Result<std::vector<std::byte>> bytes = EncodeRule(edit.rule);
  if (!bytes) return tl::unexpected(bytes.error());
  if (iptc_insert_entry(
          chain.c_str(), reinterpret_cast<const ipt_entry*>(bytes->data()),
          static_cast<unsigned int>(edit.position), handle_.get()) != 0) {
    return {};
  }
  return tl::unexpected(ErrorOf("cannot insert rule " +
                                std::to_string(edit.position + 1) +
                                " into the chain " + chain));
}

Result<void> XtEditor::Delete(const std::string& chain, const ChainEdit& edit) {
  if (iptc_delete_num_entry(chain.c_str(),
                            static_cast<unsigned int>(edit.position),
                            handle_.get()) != 0) {
    return {};
  }
  return tl::unexpected(ErrorOf("cannot delete rule " +
                                std::to_string(edit.position + 1) +
                                " of the chain " + chain));
}

Result<void> XtEditor::Commit() {
  KeepPolicyCounters(handle_.get());
  if (iptc_commit(handle_.get()) != 0) return {};
  return tl::unexpected(ErrorOf("cannot commit the " +
                                std::string(XtTableName(table_)) + " table"));
}

// libiptc's words depend on its last call: ask at once.
Error XtEditor::ErrorOf(const std::string& doing, const char* words) const {
  const int number = errno;
  return XtError(doing, number,
                 words != nullptr ? words : iptc_strerror(number));
}

}  // namespace uplinkd
