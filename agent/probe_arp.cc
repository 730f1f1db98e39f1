// The ARP probe: who has this address? Asked on the link itself, so it says
// that the next hop is there, and nothing of what lies behind it.
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "agent/probe_run.h"
#include "agent/probe_socket.h"

namespace uplinkd {
namespace {

using Mac = std::array<unsigned char, ETH_ALEN>;
using Ip = std::array<unsigned char, 4>;

// RFC 826 for Ethernet and IPv4.
struct Packet {
  std::uint16_t hardware_type = htons(ARPHRD_ETHER);
  std::uint16_t protocol_type = htons(ETH_P_IP);
  std::uint8_t hardware_size = ETH_ALEN;
  std::uint8_t protocol_size = 4;
  std::uint16_t operation = htons(ARPOP_REQUEST);
  Mac sender_mac{};
  Ip sender{};
  Mac target_mac{};
  Ip target{};
};
static_assert(sizeof(Packet) == 28);

Ip BytesOf(const Address& address) {
  Ip ip{};
  std::copy_n(address.bytes().begin(), ip.size(), ip.begin());
  return ip;
}

// Where packets of the link `index` come from and go to.
sockaddr_ll LinkAddressOf(int index) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ARP);
  address.sll_ifindex = index;
  return address;
}

class ArpRun final : public SocketRun {
 public:
  ArpRun(asio::io_context& context, const ProbeOrder& order, ArpProbe probe,
         ProbeDone done)
      : SocketRun(context, order, std::move(done)), probe_(probe) {}

 private:
  Result<void> Ask() override {
    const std::optional<Address> target =
        probe_.target ? probe_.target : path().gateway;
    if (!target) {
      return Fail(ErrorCode::kNotFound, path().link + " has no gateway");
    }
    if (!path().source) {
      return Fail(ErrorCode::kNotFound, path().link + " has no IPv4 address");
    }
    request_.sender = BytesOf(*path().source);
    request_.target = BytesOf(*target);
    // Without the link's header: the kernel writes it.
    UniqueFd socket(::socket(AF_PACKET,
                             SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                             htons(ETH_P_ARP)));
    if (!socket) return SocketFault("cannot open a socket");
    if (Result<void> bound = BindToLink(socket.get()); !bound) return bound;
    if (Result<void> sent = Send(socket.get()); !sent) return sent;
    Own(std::move(socket));
    AwaitReadable();
    return {};
  }

  Result<void> BindToLink(int fd) {
    sockaddr_ll own = LinkAddressOf(path().link_index);
    auto* const address = reinterpret_cast<sockaddr*>(&own);
    socklen_t size = sizeof(own);
    if (bind(fd, address, size) != 0 || getsockname(fd, address, &size) != 0) {
      return SocketFault("cannot use " + path().link);
    }
    if (own.sll_hatype != ARPHRD_ETHER) {
      return Fail(ErrorCode::kFailedPrecondition,
                  path().link + " is no Ethernet link, and so without ARP");
    }
    std::copy_n(std::begin(own.sll_addr), ETH_ALEN,
                request_.sender_mac.begin());
    return {};
  }

  Result<void> Send(int fd) const {
    sockaddr_ll everybody = LinkAddressOf(path().link_index);
    everybody.sll_halen = ETH_ALEN;
    std::fill_n(std::begin(everybody.sll_addr), ETH_ALEN, 0xff);
    if (sendto(fd, &request_, sizeof(request_), 0,
               reinterpret_cast<const sockaddr*>(&everybody),
               sizeof(everybody)) < 0) {
      return SocketFault("");
    }
    return {};
  }

  void OnReadable() override {
    std::array<unsigned char, 128> bytes{};
    while (const std::size_t size = Receive(bytes.data(), bytes.size())) {
      // Ethernet pads short packets.
      if (size < sizeof(Packet)) continue;
      Packet packet;
      std::memcpy(&packet, bytes.data(), sizeof(packet));
      if (packet.operation == htons(ARPOP_REPLY) &&
          packet.sender == request_.target &&
          packet.target == request_.sender) {
        return Answered();
      }
    }
  }

  ArpProbe probe_;
  Packet request_;
};

}  // namespace

SocketRunPointer MakeArpRun(asio::io_context& context, const ProbeOrder& order,
                            const ArpProbe& probe, ProbeDone done) {
  return std::make_shared<ArpRun>(context, order, probe, std::move(done));
}

}  // namespace uplinkd
