#include "reconciler/linux/route_lookup.h"

#include <linux/rtnetlink.h>

#include <optional>
#include <utility>

#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/route.h"

namespace uplinkd {

Result<Route> LookUpRoute(NlSocket& socket, LinkNames& names, const Flow& flow,
                          std::uint32_t mark) {
  rtmsg header = LookupHeader(flow.destination.family());
  const bool has_source = !flow.source.IsUnspecified();
  if (has_source) header.rtm_src_len = header.rtm_dst_len;
  NlRequest request(RTM_GETROUTE, 0, header);
  PutAddress(request, RTA_DST, flow.destination);
  if (has_source) PutAddress(request, RTA_SRC, flow.source);
  if (!flow.in_interface.empty()) {
    const int index = names.IndexOf(flow.in_interface);
    if (index == 0) {
      return Fail(ErrorCode::kNotFound,
                  "interface " + flow.in_interface + " does not exist");
    }
    request.PutU32(RTA_IIF, static_cast<std::uint32_t>(index));
  }
  if (mark != 0) request.PutU32(RTA_MARK, mark);
  std::optional<Route> route;
  const Result<void> asked = socket.Get(
      request, [&](nlmsghdr* message) { route = DecodeRoute(message, names); });
  if (!asked) return tl::unexpected(asked.error());
  if (!route) {
    return Fail(ErrorCode::kNotFound, "the kernel's answer is no route");
  }
  route->extra.clear();  // the question, repeated
  return *std::move(route);
}

}  // namespace uplinkd
