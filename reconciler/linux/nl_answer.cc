#include "reconciler/linux/nl_answer.h"

#include <netlink/attr.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "reconciler/linux/nl_socket.h"

namespace uplinkd {
namespace {

// The kernel's sentence among the attributes that follow an error code at
// `offset`. Only present if the message says so.
std::string_view ExtendedWords(nlmsghdr* message, std::size_t offset) {
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  if (static_cast<std::size_t>(nlmsg_datalen(message)) < offset) return {};
  const int fixed = static_cast<int>(offset);
  nlattr* words = nla_find(nlmsg_attrdata(message, fixed),
                           nlmsg_attrlen(message, fixed), NLMSGERR_ATTR_MSG);
  if (words == nullptr || nla_len(words) == 0) return {};
  const auto* text = static_cast<const char*>(nla_data(words));
  return {text, strnlen(text, static_cast<std::size_t>(nla_len(words)))};
}

// Errors come negated.
int ErrnoOf(int error) {
  constexpr int kMaxErrno = 4095;  // MAX_ERRNO in the kernel's linux/err.h
  return error < 0 && error >= -kMaxErrno ? -error : EPROTO;
}

}  // namespace

std::optional<Error> DecodeAnswer(nlmsghdr* message) {
  nlmsgerr answer{};
  if (!CopyHeader(message, answer)) {
    return NetlinkError(EPROTO, "netlink sent a short error message");
  }
  if (answer.error == 0) return std::nullopt;
  std::size_t offset = sizeof(answer);
  if ((message->nlmsg_flags & NLM_F_CAPPED) == 0) {
    offset += NLMSG_ALIGN(answer.msg.nlmsg_len) - sizeof(nlmsghdr);
  }
  return NetlinkError(ErrnoOf(answer.error), ExtendedWords(message, offset));
}

std::optional<Error> DecodeDone(nlmsghdr* message) {
  int error = 0;
  if (!CopyHeader(message, error)) return {};
  if (error >= 0) return std::nullopt;
  return NetlinkError(ErrnoOf(error), ExtendedWords(message, sizeof(error)));
}

}  // namespace uplinkd
