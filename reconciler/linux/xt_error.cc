#include "reconciler/linux/xt_error.h"

#include <cerrno>
#include <cstring>

namespace uplinkd {
namespace {

ErrorCode CodeOf(int system_errno) {
  switch (system_errno) {
    case EPERM:
    case EACCES: return ErrorCode::kPermissionDenied;
    case EAGAIN: return ErrorCode::kAborted;
    case ENOMEM:
    case ENOBUFS: return ErrorCode::kResourceExhausted;
    // No such table or extension, foreign references to a chain of ours, a
    // loop, an estimator that exists with other parameters: none of these is
    // the request's fault alone, and each may heal.
    case ENOENT:
    case ENOPROTOOPT:
    case EMLINK:
    case ELOOP:
    case EINVAL: return ErrorCode::kFailedPrecondition;
    default: return ErrorCode::kInternal;
  }
}

std::string NameOf(int system_errno) {
  const char* name = strerrorname_np(system_errno);
  return name != nullptr ? name : "errno " + std::to_string(system_errno);
}

std::string_view WordsOf(int system_errno) {
  const char* words = strerrordesc_np(system_errno);
  return words != nullptr ? words : "unknown error";
}

}  // namespace

Error XtError(std::string_view doing, int system_errno,
              std::string_view words) {
  std::string message(doing);
  message += ": ";
  message += words.empty() ? WordsOf(system_errno) : words;
  message += " (" + NameOf(system_errno) + ")";
  return Error{CodeOf(system_errno), std::move(message), system_errno};
}

Error XtAccessError(XtTable table, std::string_view doing, int system_errno,
                    std::string_view words) {
  Error error = XtError(doing, system_errno, words);
  if (error.code == ErrorCode::kFailedPrecondition) {
    const bool ipv6 = FamilyOf(table) == Family::kIpv6;
    const std::string six = ipv6 ? "6" : "";
    error.message += "; this kernel has no legacy ip" + six +
                     "tables tables: load the modules ip" + six +
                     "_tables, ip" + six + "table_mangle and ip" + six +
                     "table_nat, or boot a kernel that has them (CONFIG_IP" +
                     six + "_NF_IPTABLES_LEGACY)";
  } else if (error.code == ErrorCode::kPermissionDenied) {
    error.message += "; CAP_NET_ADMIN and CAP_NET_RAW are needed";
  }
  return error;
}

}  // namespace uplinkd
