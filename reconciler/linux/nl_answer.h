// What every answer of netlink is made of: messages in a datagram, their
// headers, and the error that some of them are.
#ifndef UPLINKD_RECONCILER_LINUX_NL_ANSWER_H_
#define UPLINKD_RECONCILER_LINUX_NL_ANSWER_H_

#include <linux/netlink.h>
#include <netlink/msg.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "reconciler/result.h"

namespace uplinkd {

// Calls `handler` with every message of a datagram.
template <typename Handler>
void ForEachMessage(std::span<std::byte> datagram, const Handler& handler) {
  auto* message = reinterpret_cast<nlmsghdr*>(datagram.data());
  int rest = static_cast<int>(datagram.size());
  for (; nlmsg_ok(message, rest); message = nlmsg_next(message, &rest)) {
    handler(message);
  }
}

// What the content of a message begins with. False: it is too short for that.
template <typename Header>
bool CopyHeader(nlmsghdr* message, Header& header) {
  if (nlmsg_datalen(message) < static_cast<int>(sizeof(header))) return false;
  std::memcpy(&header, nlmsg_data(message), sizeof(header));
  return true;
}

// The answer in an NLMSG_ERROR message: nothing for an acknowledgement.
std::optional<Error> DecodeAnswer(nlmsghdr* message);

// The error in an NLMSG_DONE message, if there is one.
std::optional<Error> DecodeDone(nlmsghdr* message);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NL_ANSWER_H_
