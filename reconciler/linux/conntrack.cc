#include "reconciler/linux/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>

#include <cerrno>
#include <span>
#include <utility>

#include "reconciler/linux/connection_codec.h"
#include "reconciler/linux/ctnetlink.h"
#include "reconciler/linux/nl_socket.h"

namespace uplinkd {
namespace {

NlRequest WithMark(int message, int flags, const Mark& mark,
                   std::optional<Family> family) {
  NlRequest request = ConntrackRequest(message, flags, family);
  request.PutU32(CTA_MARK, htonl(mark.value));
  request.PutU32(CTA_MARK_MASK, htonl(mark.mask));
  return request;
}

NlRequest ListRequest(const Mark& filter,
                      std::optional<Family> family = std::nullopt) {
  if (filter.mask == 0) {
    return ConntrackRequest(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
  }
  return WithMark(IPCTNL_MSG_CT_GET, NLM_F_DUMP, filter, family);
}

NlRequest DeleteRequest(const Mark& mark, Family family) {
  return WithMark(IPCTNL_MSG_CT_DELETE, 0, mark, family);
}

}  // namespace

Conntrack::Conntrack(std::unique_ptr<NlSocket> socket)
    : socket_(std::move(socket)) {}

Conntrack::~Conntrack() = default;

Result<std::unique_ptr<Conntrack>> Conntrack::Open() {
  Result<std::unique_ptr<NlSocket>> socket = NlSocket::Open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  return std::unique_ptr<Conntrack>(new Conntrack(std::move(*socket)));
}

Result<void> Conntrack::List(const Mark& filter,
                             const ConnectionHandler& handler) {
  const Result<NlSocket::DumpInfo> dumped =
      socket_->Dump(ListRequest(filter), [&](nlmsghdr* message) {
        if (const auto connection = DecodeConnection(message))
          handler(*connection);
      });
  if (!dumped) {
    return ConntrackFailure("cannot list connections", dumped.error());
  }
  return {};
}

Result<std::uint64_t> Conntrack::Cut(const Mark& mark, Family family) {
  if (mark.mask == 0 || mark.value == 0 || (mark.value & ~mark.mask) != 0) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "connections are cut by a mark under a mask, neither of them 0");
  }
  Result<std::uint64_t> count = Count(mark, family);
  if (!count || *count == 0) return count;
  if (!heeds_filters_) {
    const Result<bool> refused = RefusesBadFilter(mark, family);
    if (!refused) return tl::unexpected(refused.error());
    heeds_filters_ = *refused;
    if (!*refused) return count;  // done: see there
  }
  const NlRequest request = DeleteRequest(mark, family);
  if (const auto error = socket_->Write(std::span(&request, 1)).front()) {
    return ConntrackFailure("cannot cut connections", *error);
  }
  return count;
}

// The number of connections with the mark. Also proves that the kernel reads
// the mark and the mask as we mean them.
Result<std::uint64_t> Conntrack::Count(const Mark& mark, Family family) {
  std::uint64_t count = 0;
  bool others = false;
  const Result<NlSocket::DumpInfo> dumped =
      socket_->Dump(ListRequest(mark, family), [&](nlmsghdr* message) {
        ++count;
        others |=
            (ConntrackNumber(message, CTA_MARK) & mark.mask) != mark.value;
      });
  if (!dumped) {
    return ConntrackFailure("cannot count connections", dumped.error());
  }
  if (others) {
    return Fail(ErrorCode::kInternal,
                "no connection is cut: asked for those with one mark, the "
                "kernel listed others");
  }
  return count;
}

// A kernel that does not look at the filter of a delete request deletes every
// connection there is. One that does refuses a filter that makes no sense,
// before it deletes anything: here, one that wants the source address compared
// with that of a tuple (CTA_FILTER_F_CTA_IP_SRC, 1) which is not there.
//
// CTA_FILTER came with Linux 5.8. Before that it is overlooked, the mark is
// heeded, and the request has done what was to be done: false. Kernels that
// overlook the mark as well are older than NETLINK_GET_STRICT_CHK (4.20),
// without which no NlSocket opens.
Result<bool> Conntrack::RefusesBadFilter(const Mark& mark, Family family) {
  struct {
    nlattr header{};
    std::uint32_t flags = 1;
  } compare_source;
  compare_source.header.nla_len = sizeof(compare_source);
  compare_source.header.nla_type = CTA_FILTER_ORIG_FLAGS;
  NlRequest request = DeleteRequest(mark, family);
  request.Put(CTA_FILTER | NLA_F_NESTED, &compare_source,
              sizeof(compare_source));
  const auto error = socket_->Write(std::span(&request, 1)).front();
  if (!error) return false;
  if (error->system_errno == EINVAL || error->system_errno == EOPNOTSUPP) {
    return true;
  }
  return ConntrackFailure("cannot cut connections", *error);
}

}  // namespace uplinkd
