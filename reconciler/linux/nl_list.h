// ReadList: a dump of the kernel's as one consistent list.
#ifndef UPLINKD_RECONCILER_LINUX_NL_LIST_H_
#define UPLINKD_RECONCILER_LINUX_NL_LIST_H_

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "reconciler/linux/nl_socket.h"
#include "reconciler/linux/nl_watch.h"
#include "reconciler/result.h"

namespace uplinkd {

// Dumps until the answer is whole: neither flagged as interrupted nor, if it
// came in several pieces, with an event of `group` in the meantime. (The kernel
// continues a dump of rules by number, and numbers shift when a rule goes, so
// a piece can miss live rules. Routes are continued by key; they need no
// group.) kAborted: it never was whole.
//
// `decode` turns one message into an element, or nothing to leave it out.
template <typename T>
Result<std::vector<T>> ReadList(
    NlSocket& socket, const NlRequest& request,
    const std::function<std::optional<T>(nlmsghdr*)>& decode, int group = 0) {
  constexpr int kAttempts = 4;  // the first and three more
  std::optional<NlWatch> watch;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (watch) watch->Quiet();
    std::vector<T> list;
    const Result<NlSocket::DumpInfo> info =
        socket.Dump(request, [&](nlmsghdr* message) {
          if (std::optional<T> element = decode(message)) {
            list.push_back(std::move(*element));
          }
        });
    if (!info && info.error().code != ErrorCode::kAborted) {
      return tl::unexpected(info.error());
    }
    if (!info || info->interrupted) continue;
    if (info->pieces <= 1 || group == 0) return list;
    if (watch && watch->Quiet()) return list;
    if (watch) continue;
    Result<NlWatch> opened = NlWatch::Open(group);
    if (!opened) return tl::unexpected(opened.error());
    watch = std::move(*opened);
  }
  return Fail(ErrorCode::kAborted,
              "the kernel's tables change faster than they can be read");
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NL_LIST_H_
