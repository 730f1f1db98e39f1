// XtSnapshot: the last dump of one table, and what is ours in it.
//
// Read() costs the kernel's own dump and one comparison in memory as long as
// nothing but counters changed; it decodes only what differs. Taking no lock,
// it disturbs nobody: the kernel hands out a table whole or not at all.
#ifndef UPLINKD_RECONCILER_LINUX_XT_SNAPSHOT_H_
#define UPLINKD_RECONCILER_LINUX_XT_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/linux/xt_codec_blob.h"
#include "reconciler/result.h"
#include "reconciler/shared.h"

struct ipt_getinfo;

namespace uplinkd {

class XtSnapshot {
 public:
  explicit XtSnapshot(XtTable table);
  ~XtSnapshot();
  XtSnapshot(XtSnapshot&&) noexcept;
  XtSnapshot& operator=(XtSnapshot&&) noexcept;

  // Reads the table in the network namespace of `socket` (raw, of the table's
  // family). The kernel creates the table if it does not exist yet. Fails:
  // kFailedPrecondition, kPermissionDenied, kAborted (somebody writes all the
  // time).
  Result<void> Read(int socket);
  // What is ours in the table, as of the last Read().
  const Shared<XtTableState>& state() const { return state_; }

  // How many packets our rules that give fates have seen, by fate, as of the
  // last Read(). A count starts anew when its rule is written anew.
  std::map<Mark, std::uint64_t> FatesGiven() const;

  // How often the content was found different, the first time included.
  std::uint64_t version() const { return version_; }

 private:
  Error CannotRead(int system_errno) const;
  Result<ipt_getinfo> ReadInfo(int socket) const;
  // False: the table changed since `info` was read.
  Result<bool> ReadEntries(int socket, const ipt_getinfo& info);
  // Makes the dump in `next_` the current one.
  Result<void> Accept(const ipt_getinfo& info);

  XtTable table_;
  std::unique_ptr<ipt_getinfo> info_;  // of `last_`; null before the first
  // Each begins with the request (ipt_get_entries). Where the kernel leaves
  // bytes unwritten, both hold zero.
  std::vector<std::byte> last_;
  std::vector<std::byte> next_;
  Shared<XtTableState> state_;
  std::vector<FateEntry> fates_;  // places that hold in both dumps
  std::uint64_t version_ = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_SNAPSHOT_H_
