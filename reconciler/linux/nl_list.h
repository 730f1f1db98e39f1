// ReadList: a dump of the kernel's as one consistent list.
#ifndef UPLINKD_RECONCILER_LINUX_NL_LIST_H_
#define UPLINKD_RECONCILER_LINUX_NL_LIST_H_

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"

namespace uplinkd {

// Dumps until the answer is whole. The kernel flags only some of the dumps
// that a change broke, so one that came in several pieces is believed when two
// in a row are equal. kAborted: it never was.
//
// `decode` turns one message into an element, or nothing to leave it out.
template <typename T>
Result<std::vector<T>> ReadList(
    NlSocket& socket, const NlRequest& request,
    const std::function<std::optional<T>(nlmsghdr*)>& decode) {
  constexpr int kAttempts = 4;  // the first and three more
  std::optional<std::vector<T>> previous;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::vector<T> list;
    const Result<NlSocket::DumpInfo> info =
        socket.Dump(request, [&](nlmsghdr* message) {
          if (std::optional<T> element = decode(message)) {
            list.push_back(std::move(*element));
          }
        });
    const bool aborted =
        !info.has_value() && info.error().code == ErrorCode::kAborted;
    if (!info && !aborted) return tl::unexpected(info.error());
    if (aborted || info->interrupted) {
      previous.reset();
      continue;
    }
    if (info->pieces <= 1 || previous == list) return list;
    previous = std::move(list);
  }
  return Fail(ErrorCode::kAborted,
              "the kernel's tables change faster than they can be read");
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NL_LIST_H_
