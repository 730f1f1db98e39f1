#include "reconciler/linux/nl_socket.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "reconciler/linux/nl_answer.h"

namespace uplinkd {
namespace {

// Beyond this a larger datagram is no faster.
constexpr std::size_t kBatchBytes = 16384;
constexpr std::size_t kBatchRequests = 128;
// Room for the answers of one batch.
constexpr int kSocketBuffer = 2 * 1024 * 1024;
// The kernel answers within the system call; waiting means a kernel fault.
constexpr timeval kPatience{5, 0};

ErrorCode CodeOf(int system_errno) {
  switch (system_errno) {
    case EPERM:
    case EACCES: return ErrorCode::kPermissionDenied;
    case ENOENT:
    case ESRCH:
    case ENXIO:
    case ENODEV: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case EAGAIN:
    case EINTR:
    case EBUSY: return ErrorCode::kAborted;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE: return ErrorCode::kResourceExhausted;
    // A link is down, a gateway is not reachable: true now, not for ever.
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH: return ErrorCode::kUnavailable;
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    // The same request may be right once a link or an address is different
    // ("Invalid prefsrc address"), so the request is not the one to blame.
    case EINVAL:
    case EADDRNOTAVAIL: return ErrorCode::kFailedPrecondition;
    default: return ErrorCode::kInternal;
  }
}

Error LastError(std::string_view what) {
  const int saved = errno;
  Error error = NetlinkError(saved);
  error.message = std::string(what) + ": " + error.message;
  return error;
}

template <typename T>
bool SetOption(int fd, int level, int option, const T& value) {
  return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

Error NetlinkError(int system_errno, std::string_view words) {
  std::string message(words.empty() ? std::strerror(system_errno) : words);
  const char* name = strerrorname_np(system_errno);
  message += " (";
  message += name != nullptr ? name : std::to_string(system_errno);
  message += ")";
  return Error{CodeOf(system_errno), std::move(message), system_errno};
}

void NlRequest::Deleter::operator()(nl_msg* message) const {
  nlmsg_free(message);
}

NlRequest::NlRequest(int type, int flags, const void* header, std::size_t size,
                     std::size_t room)
    : message_(nlmsg_alloc_size(room)) {
  nlmsghdr* start =
      message_ == nullptr
          ? nullptr
          : nlmsg_put(message_.get(), NL_AUTO_PORT, 0, type,
                      static_cast<int>(size), NLM_F_REQUEST | flags);
  if (start == nullptr) {
    complete_ = false;
    return;
  }
  std::memcpy(nlmsg_data(start), header, size);
}

void NlRequest::Put(int attribute, const void* data, std::size_t size) {
  complete_ = complete_ && nla_put(message_.get(), attribute,
                                   static_cast<int>(size), data) == 0;
}

void NlRequest::PutU8(int attribute, std::uint8_t value) {
  Put(attribute, &value, sizeof(value));
}

void NlRequest::PutU32(int attribute, std::uint32_t value) {
  Put(attribute, &value, sizeof(value));
}

void NlRequest::PutString(int attribute, const std::string& value) {
  Put(attribute, value.c_str(), value.size() + 1);
}

nlmsghdr* NlRequest::header() const {
  return complete_ ? nlmsg_hdr(message_.get()) : nullptr;
}

Result<std::unique_ptr<NlSocket>> NlSocket::Open(int protocol) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return tl::unexpected(LastError("cannot open a netlink socket"));
  // Without strict checking the kernel ignores the filters of a dump.
  const int on = 1;
  if (!SetOption(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, on) ||
      !SetOption(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, on) ||
      !SetOption(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, on) ||
      !SetOption(fd.get(), SOL_SOCKET, SO_RCVTIMEO, kPatience)) {
    return tl::unexpected(LastError("cannot set up a netlink socket"));
  }
  // Processes can send to a netlink socket; to a connected one, only the
  // kernel.
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel),
              sizeof(kernel)) != 0) {
    return tl::unexpected(LastError("cannot connect a netlink socket"));
  }
  // Best effort: an answer that finds no room is noticed and read again.
  if (!SetOption(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kSocketBuffer)) {
    SetOption(fd.get(), SOL_SOCKET, SO_RCVBUF, kSocketBuffer);
  }
  return std::unique_ptr<NlSocket>(new NlSocket(std::move(fd)));
}

Result<void> NlSocket::Send(const NlRequest& request) {
  nlmsghdr* header = request.header();
  if (header == nullptr) return tl::unexpected(NetlinkError(ENOMEM));
  header->nlmsg_seq = ++sequence_;
  if (send(fd(), header, header->nlmsg_len, 0) < 0) {
    return tl::unexpected(LastError("cannot send to netlink"));
  }
  return {};
}

Result<std::span<std::byte>> NlSocket::Receive() {
  while (true) {
    const ssize_t size = recv(fd(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      return Fail(ErrorCode::kAborted, "netlink lost an answer (ENOBUFS)",
                  ENOBUFS);
    }
    if (size < 0) return tl::unexpected(LastError("netlink does not answer"));
    if (static_cast<std::size_t>(size) > buffer_.size()) {
      return Fail(ErrorCode::kInternal, "netlink sent an oversized answer");
    }
    return std::span(buffer_).first(static_cast<std::size_t>(size));
  }
}

Result<NlSocket::DumpInfo> NlSocket::Dump(const NlRequest& request,
                                          const NlHandler& handler) {
  if (Result<void> sent = Send(request); !sent) {
    return tl::unexpected(sent.error());
  }
  DumpInfo info;
  bool done = false;
  std::optional<Error> refusal;
  while (!done) {
    const Result<std::span<std::byte>> datagram = Receive();
    if (!datagram && datagram.error().system_errno == ENOBUFS) {
      info.interrupted = true;  // the rest still comes and must be read
      continue;
    }
    if (!datagram) return tl::unexpected(datagram.error());
    bool piece = false;
    ForEachMessage(*datagram, [&](nlmsghdr* message) {
      if (message->nlmsg_seq != sequence_ || done) return;
      info.interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (message->nlmsg_type == NLMSG_DONE) {
        refusal = DecodeDone(message);
        done = true;
      } else if (message->nlmsg_type == NLMSG_ERROR) {
        refusal = DecodeAnswer(message);
        done = true;
      } else {
        piece = true;
        handler(message);
      }
    });
    info.pieces += piece ? 1 : 0;
  }
  interrupted_dumps_ += info.interrupted ? 1 : 0;
  if (refusal) return tl::unexpected(*refusal);
  return info;
}

std::vector<std::optional<Error>> NlSocket::Ask(
    std::span<const NlRequest> requests, const AskHandler& handler) {
  std::vector<std::optional<Error>> answers(requests.size());
  std::size_t done = 0;
  while (done < requests.size()) {
    const Result<std::size_t> sent = SendSome(requests.subspan(done), false);
    const std::size_t count = sent.value_or(1);
    std::size_t open = count;
    const auto answered = [&](std::size_t index, nlmsghdr* message) {
      if (message->nlmsg_type == NLMSG_ERROR) {
        answers[done + index] = DecodeAnswer(message);
      } else {
        handler(done + index, message);
      }
      return --open == 0;
    };
    const Result<void> received =
        sent ? ReceiveAnswers(count, answered) : tl::unexpected(sent.error());
    if (!received) {
      std::ranges::fill(std::span(answers).subspan(done, count),
                        received.error());
    }
    done += count;
  }
  return answers;
}

Result<void> NlSocket::Get(const NlRequest& request, const NlHandler& handler) {
  const std::vector<std::optional<Error>> answers =
      Ask(std::span(&request, 1),
          [&](std::size_t, nlmsghdr* message) { handler(message); });
  if (answers.front()) return tl::unexpected(*answers.front());
  return {};
}

std::vector<std::optional<Error>> NlSocket::Write(
    std::span<const NlRequest> requests) {
  std::vector<std::optional<Error>> answers(requests.size());
  std::size_t done = 0;
  while (done < requests.size()) {
    const Result<std::size_t> sent = SendSome(requests.subspan(done), true);
    const std::size_t count = sent.value_or(1);
    // The answer to the last request says that all were handled. The others
    // only answer if they are refused.
    const auto answered = [&](std::size_t index, nlmsghdr* message) {
      if (message->nlmsg_type != NLMSG_ERROR) return false;
      answers[done + index] = DecodeAnswer(message);
      return index + 1 == count;
    };
    const Result<void> received =
        sent ? ReceiveAnswers(count, answered) : tl::unexpected(sent.error());
    if (!received) {
      std::ranges::fill(std::span(answers).subspan(done, count),
                        received.error());
    }
    done += count;
  }
  return answers;
}

Result<std::size_t> NlSocket::SendSome(std::span<const NlRequest> requests,
                                       bool acknowledge) {
  std::vector<iovec> parts;
  std::size_t bytes = 0;
  for (const NlRequest& request : requests) {
    nlmsghdr* header = request.header();
    const bool full = parts.size() == kBatchRequests || bytes >= kBatchBytes;
    if (full || header == nullptr) break;
    header->nlmsg_seq = ++sequence_;
    parts.push_back({header, header->nlmsg_len});
    bytes += header->nlmsg_len;
  }
  if (parts.empty()) return tl::unexpected(NetlinkError(ENOMEM));
  if (acknowledge) {
    requests[parts.size() - 1].header()->nlmsg_flags |= NLM_F_ACK;
  }
  msghdr envelope{};
  envelope.msg_iov = parts.data();
  envelope.msg_iovlen = parts.size();
  if (sendmsg(fd(), &envelope, 0) < 0) {
    return tl::unexpected(LastError("cannot send to netlink"));
  }
  return parts.size();
}

Result<void> NlSocket::ReceiveAnswers(
    std::size_t count,
    const std::function<bool(std::size_t, nlmsghdr*)>& answered) {
  const std::uint32_t first = sequence_ - static_cast<std::uint32_t>(count) + 1;
  bool done = false;
  while (!done) {
    const Result<std::span<std::byte>> datagram = Receive();
    if (!datagram) return tl::unexpected(datagram.error());
    ForEachMessage(*datagram, [&](nlmsghdr* message) {
      // Late answers to earlier requests have smaller numbers.
      const std::uint32_t index = message->nlmsg_seq - first;
      if (done || index >= count) return;
      done = answered(index, message);
    });
  }
  return {};
}

}  // namespace uplinkd
