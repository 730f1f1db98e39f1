// The ICMP probe: an echo request, answered by the target with what it was
// sent. Those of IPv6 (RFC 4443) have other types than those of IPv4, and the
// same form; the kernel fills in their checksum. A raw socket, since the
// kernel's ping sockets are closed to everybody, root too, unless
// net.ipv4.ping_group_range says otherwise.
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <random>
#include <utility>

#include "agent/probe_run.h"
#include "agent/probe_socket.h"

namespace uplinkd {
namespace {

// ICMP_FILTER of linux/icmp.h, which cannot stand beside the C library's
// headers: the types whose bit is set are not received.
constexpr int kIcmpFilter = 1;
constexpr std::uint32_t kAllButReplies = ~(1U << ICMP_ECHOREPLY);

Result<void> ReceiveRepliesOnly(int socket, Family family) {
  if (family == Family::kIpv4) {
    if (setsockopt(socket, SOL_RAW, kIcmpFilter, &kAllButReplies,
                   sizeof(kAllButReplies)) != 0) {
      return SocketFault("cannot filter ICMP");
    }
    return {};
  }
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  if (setsockopt(socket, IPPROTO_ICMPV6, ICMP6_FILTER, &filter,
                 sizeof(filter)) != 0) {
    return SocketFault("cannot filter ICMP");
  }
  return {};
}

struct Echo {
  icmphdr header{};
  // So that the answer to another round, or a guess, is none.
  std::array<std::uint32_t, 4> nonce{};
};

// RFC 1071.
std::uint16_t Checksum(const Echo& echo) {
  std::array<std::uint16_t, sizeof(Echo) / 2> words{};
  std::memcpy(words.data(), &echo, sizeof(Echo));
  std::uint32_t sum = 0;
  for (const std::uint16_t word : words) sum += word;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Echo MakeRequest(Family family) {
  std::random_device random;
  Echo echo;
  echo.header.type = family == Family::kIpv4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  echo.header.un.echo.id = static_cast<std::uint16_t>(random());
  for (std::uint32_t& word : echo.nonce) word = random();
  if (family == Family::kIpv4) echo.header.checksum = Checksum(echo);
  return echo;
}

class IcmpRun final : public SocketRun {
 public:
  IcmpRun(asio::io_context& context, const ProbeOrder& order, IcmpProbe probe,
          ProbeDone done)
      : SocketRun(context, order, std::move(done)), probe_(probe) {}

 private:
  Result<void> Ask() override {
    Result<UniqueFd> socket =
        OpenPinned(path(), family(), SOCK_RAW,
                   IsIpv4() ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
    if (!socket) return tl::unexpected(socket.error());
    Result<void> filtered = ReceiveRepliesOnly(socket->get(), family());
    if (!filtered) return filtered;
    // Only what comes from the target is received.
    Result<void> connected = ConnectTo(socket->get(), probe_.target, 0);
    if (!connected) return connected;
    if (send(socket->get(), &request_, sizeof(request_), 0) < 0) {
      return SocketFault("");
    }
    Own(std::move(*socket));
    AwaitReadable();
    return {};
  }

  void OnReadable() override {
    std::array<unsigned char, 2048> packet{};
    while (const std::size_t size = Receive(packet.data(), packet.size())) {
      // A raw socket shows the header of IPv4; its length is in words of four.
      const std::size_t begin =
          IsIpv4() ? std::size_t{4} * (packet[0] & 0x0f) : 0;
      if (size == begin + sizeof(Echo) && IsReply(packet.data() + begin)) {
        return Answered();
      }
    }
  }

  bool IsReply(const unsigned char* bytes) const {
    Echo reply;
    std::memcpy(&reply, bytes, sizeof(reply));
    return reply.header.type ==
               (IsIpv4() ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
           reply.header.un.echo.id == request_.header.un.echo.id &&
           reply.nonce == request_.nonce;
  }

  Family family() const { return probe_.target.family(); }
  bool IsIpv4() const { return family() == Family::kIpv4; }

  IcmpProbe probe_;
  const Echo request_ = MakeRequest(family());
};

}  // namespace

SocketRunPointer MakeIcmpRun(asio::io_context& context, const ProbeOrder& order,
                             const IcmpProbe& probe, ProbeDone done) {
  return std::make_shared<IcmpRun>(context, order, probe, std::move(done));
}

}  // namespace uplinkd
