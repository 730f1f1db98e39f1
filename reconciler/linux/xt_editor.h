// XtEditor: one edit of one table through libiptc.
//
//   Open (read the table) -> Decode -> Apply ... -> Commit (replace the table)
//
// libiptc takes no lock: the caller holds the xtables lock from Open to Commit.
// Only our chains and our jumps are ever edited; everything else goes back into
// the kernel as it came out, counters included. One thread.
#ifndef UPLINKD_RECONCILER_LINUX_XT_EDITOR_H_
#define UPLINKD_RECONCILER_LINUX_XT_EDITOR_H_

#include <cstddef>
#include <string>
#include <utility>

#include "reconciler/chain.h"
#include "reconciler/linux/xt_library.h"
#include "reconciler/plan.h"
#include "reconciler/result.h"

namespace uplinkd {

class XtEditor {
 public:
  // Reads the table of the calling thread's network namespace; the kernel
  // creates it if it does not exist yet.
  static Result<XtEditor> Open(XtTable table);

  // What is ours in the table, edits included.
  XtTableState Decode() const;

  // In memory. Fails for what the table does not have room or a place for, and
  // refuses (kInternal) to touch what is not ours.
  Result<void> Apply(const ChainEdit& edit);

  // All edits at once. After a failure (kAborted: the number of rules changed
  // meanwhile) the table may still have been written: read it again.
  Result<void> Commit();

 private:
  XtEditor(XtTable table, XtHandle handle)
      : table_(table), handle_(std::move(handle)) {}

  const XtLibrary& library() const { return *handle_.get_deleter().library; }
  bool IsOwnJump(const char* chain, std::size_t position) const;
  Result<void> Insert(const std::string& chain, const ChainEdit& edit);
  Result<void> Delete(const std::string& chain, const ChainEdit& edit);
  Result<void> EditJump(const ChainEdit& edit);
  Error ErrorOf(const std::string& doing, const char* words = nullptr) const;

  XtTable table_;
  XtHandle handle_;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_EDITOR_H_
