#include "reconciler/linux/xt_editor.h"

#include <linux/netfilter/x_tables.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "reconciler/linux/xt_codec.h"
#include "reconciler/linux/xt_error.h"
#include "reconciler/linux/xt_layout.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

constexpr std::array kHooks = {XtHook::kPrerouting, XtHook::kOutput,
                               XtHook::kPostrouting};

// The tables of one family through its library.
class Tables {
 public:
  Tables(Family family, xtc_handle* handle)
      : family_(family), library_(LibraryOf(family)), handle_(handle) {}

  // Calls `visit(entry, target)` for each rule of a chain.
  template <typename Visit>
  void ForEachRule(const char* chain, Visit visit) const {
    for (const std::byte* entry = library_.first_rule(chain, handle_);
         entry != nullptr; entry = library_.next_rule(entry, handle_)) {
      visit(entry, library_.get_target(entry, handle_));
    }
  }

  ChainRule Decoded(const std::byte* entry, const char* target) const {
    const std::size_t size = LayoutOf(family_).NextOffset(entry);
    return DecodeRule(family_, std::span(entry, size), target);
  }

  Chain DecodeChain(const char* name) const {
    Chain rules;
    ForEachRule(name, [&](const std::byte* entry, const char* target) {
      rules.push_back(Decoded(entry, target));
    });
    return rules;
  }

  std::vector<HookJump> DecodeJumps(const char* builtin) const {
    std::vector<HookJump> jumps;
    std::size_t position = 0;
    ForEachRule(builtin, [&](const std::byte* entry, const char* target) {
      if (IsOwnedChain(target)) {
        jumps.push_back({position, Decoded(entry, target)});
      }
      ++position;
    });
    return jumps;
  }

 private:
  Family family_;
  const XtLibrary& library_;
  xtc_handle* handle_;
};

// libiptc subtracts what it read from the counters of the policies when it
// commits: the programs zero them with every edit. Setting them is the one way
// to keep them. (What a policy counts between reading and committing is lost;
// libiptc adds that for rules only.)
void KeepPolicyCounters(const XtLibrary& library, xtc_handle* handle) {
  for (const char* chain = library.first_chain(handle); chain != nullptr;
       chain = library.next_chain(handle)) {
    xt_counters counters{};
    const char* policy = library.get_policy(chain, &counters, handle);
    if (policy != nullptr) {
      library.set_policy(chain, policy, &counters, handle);
    }
  }
}

Result<void> Refuse(const std::string& chain) {
  return Fail(ErrorCode::kInternal,
              "refused to edit the chain " + chain + ": not ours");
}

}  // namespace

Result<XtEditor> XtEditor::Open(XtTable table) {
  const XtLibrary& library = LibraryOf(FamilyOf(table));
  const std::string name(XtTableName(table));
  XtHandle handle(library.init(name.c_str()), FreeXtHandle{&library});
  if (!handle) {
    const int number = errno;
    return tl::unexpected(XtAccessError(
        table, "cannot read the " + std::string(XtTableTitle(table)) + " table",
        number, library.strerror(number)));
  }
  return XtEditor(table, std::move(handle));
}

XtTableState XtEditor::Decode() const {
  XtTableState state;
  std::vector<const char*> ours;
  for (const char* name = library().first_chain(handle_.get()); name != nullptr;
       name = library().next_chain(handle_.get())) {
    if (IsOwnedChain(name)) ours.push_back(name);
  }
  const Tables tables(FamilyOf(table_), handle_.get());
  for (const char* name : ours) {
    state.chains.emplace(name, tables.DecodeChain(name));
  }
  for (const XtHook hook : kHooks) {
    const std::string builtin(XtHookName(hook));
    if (library().builtin(builtin.c_str(), handle_.get()) == 0) continue;
    std::vector<HookJump> jumps = tables.DecodeJumps(builtin.c_str());
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
      if (library().create_chain(chain, handle_.get()) != 0) return {};
      return tl::unexpected(ErrorOf("cannot create the chain " + edit.chain));
    case Kind::kFlushChain:
      if (library().flush_entries(chain, handle_.get()) != 0) return {};
      return tl::unexpected(ErrorOf("cannot flush the chain " + edit.chain));
    case Kind::kDeleteChain:
      if (library().delete_chain(chain, handle_.get()) != 0) return {};
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
  const std::byte* entry = library().first_rule(chain, handle_.get());
  for (; entry != nullptr && position > 0; --position) {
    entry = library().next_rule(entry, handle_.get());
  }
  return entry != nullptr &&
         IsOwnedChain(library().get_target(entry, handle_.get()));
}

Result<void> XtEditor::Insert(const std::string& chain, const ChainEdit& edit) {
  const Result<std::vector<std::byte>> bytes =
      EncodeRule(FamilyOf(table_), edit.rule);
  if (!bytes) return tl::unexpected(bytes.error());
  if (library().insert_entry(chain.c_str(), bytes->data(),
                             static_cast<unsigned int>(edit.position),
                             handle_.get()) != 0) {
    return {};
  }
  return tl::unexpected(ErrorOf("cannot insert rule " +
                                std::to_string(edit.position + 1) +
                                " into the chain " + chain));
}

Result<void> XtEditor::Delete(const std::string& chain, const ChainEdit& edit) {
  if (library().delete_num_entry(chain.c_str(),
                                 static_cast<unsigned int>(edit.position),
                                 handle_.get()) != 0) {
    return {};
  }
  return tl::unexpected(ErrorOf("cannot delete rule " +
                                std::to_string(edit.position + 1) +
                                " of the chain " + chain));
}

Result<void> XtEditor::Commit() {
  KeepPolicyCounters(library(), handle_.get());
  if (library().commit(handle_.get()) != 0) return {};
  return tl::unexpected(ErrorOf("cannot commit the " +
                                std::string(XtTableTitle(table_)) + " table"));
}

// libiptc's words depend on its last call: ask at once.
Error XtEditor::ErrorOf(const std::string& doing, const char* words) const {
  const int number = errno;
  return XtError(doing, number,
                 words != nullptr ? words : library().strerror(number));
}

}  // namespace uplinkd
