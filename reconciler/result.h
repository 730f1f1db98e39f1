// Result: a value or an Error, used everywhere instead of exceptions.
//
// `Result<T>` has the member names of std::expected. An Error is a plain value:
// a code from the canonical gRPC names, a sentence for a person, and the errno
// it came from where there was one. errno becomes an Error once per library
// (reconciler/linux/), an Error becomes a gRPC status once (agent/).
#ifndef UPLINKD_RECONCILER_RESULT_H_
#define UPLINKD_RECONCILER_RESULT_H_

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace uplinkd {

enum class ErrorCode {
  kInvalidArgument,     // the caller's request is wrong; the same again fails
  kNotFound,            // the object is not there (ENOENT, ESRCH, ENODEV)
  kAlreadyExists,       // the object is there already (EEXIST)
  kPermissionDenied,    // a capability is missing (EPERM, EACCES)
  kFailedPrecondition,  // the system cannot do it as it is (no legacy tables)
  kAborted,             // somebody else changed it first; read again (EAGAIN)
  kResourceExhausted,   // no memory, no buffer space (ENOMEM, ENOBUFS)
  kDeadlineExceeded,    // waited too long (the xtables lock)
  kUnavailable,         // not reachable now; try later
  kInternal,            // an answer that should not be possible
};

// The lower-case name used in logs, metrics and status: "permission-denied".
std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;   // one sentence, with the kernel's own words in it
  int system_errno = 0;  // 0 where no system call was involved

  friend auto operator<=>(const Error&, const Error&) = default;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message,
                                  int system_errno = 0) {
  return tl::unexpected<Error>(Error{code, std::move(message), system_errno});
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_RESULT_H_
