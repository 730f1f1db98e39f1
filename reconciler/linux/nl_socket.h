// NlSocket: one netlink socket and the three ways to talk over it.
//
//   Dump   a list, handed to the caller message by message, without copies
//   Ask    questions, as many as one likes in one system call, an answer each
//   Write  changes, likewise; only refusals are answered
//
// Requests are built and attributes are parsed with libnl; the messages are
// received into one buffer that lives as long as the socket, since libnl's own
// receive path copies every message. Every errno of netlink becomes an Error
// here and nowhere else, with the kernel's own words (extended ACK). One
// thread at a time.
#ifndef UPLINKD_RECONCILER_LINUX_NL_SOCKET_H_
#define UPLINKD_RECONCILER_LINUX_NL_SOCKET_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

struct nl_msg;
struct nlmsghdr;

namespace uplinkd {

// "No such device (ENODEV)", with the code that belongs to the errno. `words`
// are the kernel's own; without them those of the C library are used.
Error NetlinkError(int system_errno, std::string_view words = {});

// A request under construction. Running out of memory or space is remembered
// and reported when the request is sent.
class NlRequest {
 public:
  static constexpr std::size_t kUsualRoom = 192;

  // `header` is the fixed part after the netlink header: rtmsg, ifinfomsg, ...
  // `room` is for the whole message; what does not fit is an error.
  template <typename Header>
  NlRequest(int type, int flags, const Header& header,
            std::size_t room = kUsualRoom)
      : NlRequest(type, flags, &header, sizeof(header), room) {}

  void Put(int attribute, const void* data, std::size_t size);
  void PutU8(int attribute, std::uint8_t value);
  void PutU32(int attribute, std::uint32_t value);
  void PutString(int attribute, const std::string& value);

  // nullptr if the request is not complete.
  nlmsghdr* header() const;

 private:
  struct Deleter {
    void operator()(nl_msg* message) const;
  };

  NlRequest(int type, int flags, const void* header, std::size_t size,
            std::size_t room);

  std::unique_ptr<nl_msg, Deleter> message_;
  bool complete_ = true;
};

// Called with each message of an answer. The message dies with the call.
using NlHandler = std::function<void(nlmsghdr* message)>;

class NlSocket {
 public:
  // `protocol` as in socket(2): NETLINK_ROUTE, NETLINK_NETFILTER. The socket
  // belongs to the calling thread's network namespace.
  static Result<std::unique_ptr<NlSocket>> Open(int protocol);

  int fd() const { return fd_.get(); }

  // How a dump went.
  struct DumpInfo {
    // The kernel's tables changed while it answered, or an answer was lost.
    bool interrupted = false;
    // Messages came in this many pieces. The kernel holds no lock between two
    // pieces, and does not always say that something changed.
    int pieces = 0;
  };
  Result<DumpInfo> Dump(const NlRequest& request, const NlHandler& handler);
  // Dumps so far that were.
  std::uint64_t interrupted_dumps() const { return interrupted_dumps_; }

  // Asks for objects. `handler` gets each one, with the number of its request;
  // a request that got no object has an Error in the answer.
  using AskHandler = std::function<void(std::size_t, nlmsghdr*)>;
  std::vector<std::optional<Error>> Ask(std::span<const NlRequest> requests,
                                        const AskHandler& handler);

  // Asks for one object.
  Result<void> Get(const NlRequest& request, const NlHandler& handler);

  // Sends changes in order; a refused one does not stop the others. One answer
  // per request: nothing if the kernel took it, else its Error. kAborted: the
  // answer was lost, so read again.
  std::vector<std::optional<Error>> Write(std::span<const NlRequest> requests);

 private:
  explicit NlSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  // Gives the request a sequence number and sends it.
  Result<void> Send(const NlRequest& request);
  // Likewise for as many as fit into one datagram; returns how many, at least
  // one. The last one asks for an acknowledgement if `acknowledge`.
  Result<std::size_t> SendSome(std::span<const NlRequest> requests,
                               bool acknowledge);
  // One datagram from the kernel. kAborted: answers were lost.
  Result<std::span<std::byte>> Receive();
  // Receives until `answered(index, message)` says that it has all; the index
  // counts from the first of `count` requests that were just sent.
  Result<void> ReceiveAnswers(
      std::size_t count,
      const std::function<bool(std::size_t, nlmsghdr*)>& answered);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::uint64_t interrupted_dumps_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(64 * 1024);
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NL_SOCKET_H_
