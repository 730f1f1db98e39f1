#include "reconciler/linux/ipset.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

tl::unexpected<Error> Failed(const std::string& what) {
  const int code = errno;
  ErrorCode meaning = ErrorCode::kInternal;
  if (code == EPERM) meaning = ErrorCode::kPermissionDenied;
  // The kernel has no ipsets at all, so it has none of this name.
  if (code == ENOPROTOOPT) meaning = ErrorCode::kNotFound;
  return Fail(meaning, what + ": " + std::strerror(code), code);
}

// Asks the kernel about the set in `request`, and gets the answer there.
template <typename Request>
Result<void> Ask(unsigned int operation, Request& request) {
  const UniqueFd socket(
      ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!socket) return Failed("a socket for ipsets");
  request.op = operation;
  request.version = IPSET_PROTOCOL;
  socklen_t size = sizeof request;
  if (getsockopt(socket.get(), SOL_IP, SO_IP_SET, &request, &size) != 0) {
    return Failed("ipsets");
  }
  return {};
}

}  // namespace

Result<std::uint16_t> FindIpset(const std::string& name) {
  ip_set_req_get_set_family request{};
  if (name.empty() || name.size() >= sizeof request.set.name) {
    return Fail(ErrorCode::kNotFound,
                "no ipset can have the name '" + name + "'");
  }
  std::memcpy(request.set.name, name.data(), name.size());
  if (Result<void> asked = Ask(IP_SET_OP_GET_FNAME, request); !asked) {
    return tl::unexpected(asked.error());
  }
  if (request.set.index == IPSET_INVALID_ID) {
    return Fail(ErrorCode::kNotFound, "there is no ipset '" + name + "'");
  }
  // NFPROTO_IPV6 has the same number; a list of sets has no family.
  if (request.family == AF_INET6) {
    return Fail(ErrorCode::kNotFound,
                "the ipset '" + name + "' is one of IPv6 addresses");
  }
  return request.set.index;
}

Result<std::set<std::string>> ReadIpsets(const std::set<std::string>& names) {
  std::set<std::string> there;
  for (const std::string& name : names) {
    const Result<std::uint16_t> number = FindIpset(name);
    if (number) {
      there.insert(name);
    } else if (number.error().code != ErrorCode::kNotFound) {
      return tl::unexpected(number.error());
    }
  }
  return there;
}

Result<std::string> NameOfIpset(std::uint16_t number) {
  ip_set_req_get_set request{};
  request.set.index = number;
  if (Result<void> asked = Ask(IP_SET_OP_GET_BYINDEX, request); !asked) {
    return tl::unexpected(asked.error());
  }
  const std::size_t size = strnlen(request.set.name, sizeof request.set.name);
  if (size == 0) {
    return Fail(ErrorCode::kNotFound,
                "there is no ipset " + std::to_string(number));
  }
  return std::string(request.set.name, size);
}

}  // namespace uplinkd
