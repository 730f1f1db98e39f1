// Forwarding: what a small packet of an established connection costs in the
// router, against the same router with conntrack and source NAT only.
//
// Flows are made through the whole lab, so that they are established, have
// their fate and their translation. Then ready-made frames of these flows are
// put on the client's link, and the providers drop what arrives. Everything
// happens on the sender's processor, so the time per packet is nearly all the
// router's. One pair is a burst with our state and a burst without it.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "reconciler/linux/linux_kernel.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"
#include "tests/lab/layout.h"
#include "tests/lab/traffic_client.h"
#include "tests/lab/traffic_server.h"

namespace uplinkd::bench {
namespace {

constexpr int kFlows = 64;
constexpr int kPairs = 41;
constexpr int kBatch = 64;
constexpr int kBatches = 600;         // per burst
constexpr std::size_t kPayload = 18;  // the smallest Ethernet frame

using Frame = std::array<unsigned char, sizeof(ether_header) + sizeof(iphdr) +
                                            sizeof(udphdr) + kPayload>;

std::uint16_t Checksum(const unsigned char* bytes, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

// "02:00:..." of a link, read where it is.
bool ReadMac(const lab::Namespace& where, const std::string& link,
             unsigned char* mac) {
  const std::string text =
      lab::Shell(where, "ip -br link show " + link + " | awk '{print $3}'")
          .output;
  std::array<unsigned, 6> parts{};
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &parts[0], &parts[1],
                  &parts[2], &parts[3], &parts[4], &parts[5]) != 6) {
    return Complain("no address of " + link + ": " + text);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    mac[i] = static_cast<unsigned char>(parts[i]);
  }
  return true;
}

// A frame of the flow whose socket this is.
Frame MakeFrame(const ether_header& link, int socket) {
  sockaddr_in source{};
  sockaddr_in destination{};
  socklen_t size = sizeof source;
  getsockname(socket, reinterpret_cast<sockaddr*>(&source), &size);
  getpeername(socket, reinterpret_cast<sockaddr*>(&destination), &size);
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.tot_len = htons(sizeof(iphdr) + sizeof(udphdr) + kPayload);
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  ip.saddr = source.sin_addr.s_addr;
  ip.daddr = destination.sin_addr.s_addr;
  std::array<unsigned char, sizeof ip> header{};
  std::memcpy(header.data(), &ip, sizeof ip);
  ip.check = Checksum(header.data(), header.size());
  udphdr udp{};  // without a checksum, which IPv4 allows
  udp.source = source.sin_port;
  udp.dest = destination.sin_port;
  udp.len = htons(sizeof(udphdr) + kPayload);
  Frame frame{};
  unsigned char* at = frame.data();
  std::memcpy(at, &link, sizeof link);
  std::memcpy(at + sizeof link, &ip, sizeof ip);
  std::memcpy(at + sizeof link + sizeof ip, &udp, sizeof udp);
  return frame;
}

class Sender {
 public:
  Sender(const lab::Namespace& client, std::vector<Frame> frames)
      : frames_(std::move(frames)) {
    client.Run([&] {
      fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
      sockaddr_ll address{};
      address.sll_family = AF_PACKET;
      address.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
      bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    });
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() { close(fd_); }

  // Nanoseconds per packet; 0 if the link did not take them all.
  double Burst() {
    std::array<iovec, kBatch> parts{};
    std::array<mmsghdr, kBatch> messages{};
    for (std::size_t i = 0; i < kBatch; ++i) {
      Frame& frame = frames_[i % frames_.size()];
      parts[i] = {frame.data(), frame.size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const Nanoseconds start = Now();
    for (int i = 0; i < kBatches; ++i) {
      if (sendmmsg(fd_, messages.data(), kBatch, 0) != kBatch) return 0;
    }
    return static_cast<double>((Now() - start).count()) / (kBatch * kBatches);
  }

 private:
  std::vector<Frame> frames_;
  int fd_ = -1;
};

std::uint64_t Arrived(const lab::Lab& lab) {
  std::uint64_t sum = 0;
  for (std::size_t n = 1; n <= lab.uplinks(); ++n) {
    sum += std::stoull(
        lab::Shell(lab.provider(n),
                   "ip -s -s link show cust0 | awk '/RX:/ {getline; print $2}'")
            .output);
  }
  return sum;
}

struct Flows {
  std::vector<lab::Connection> sockets;
  std::vector<Frame> frames;
};

// Established through the whole lab; then the providers drop what comes.
bool MakeFlows(const lab::Lab& lab, Flows* flows) {
  Result<std::unique_ptr<lab::TrafficServer>> server =
      lab::TrafficServer::Start(lab.server());
  if (!server) return Complain(server.error().message);
  Result<std::vector<lab::Connection>> opened = lab::OpenMany(
      lab.client(),
      {.port = lab::kUdpEchoPort, .transport = lab::Transport::kUdp}, kFlows);
  if (!opened) return Complain(opened.error().message);
  flows->sockets = std::move(*opened);
  const Result<std::vector<std::string>> answers = AskAll(flows->sockets);
  if (!answers) return Complain(answers.error().message);
  for (std::size_t n = 1; n <= lab.uplinks(); ++n) {
    const lab::CommandResult result =
        lab::Shell(lab.provider(n),
                   "iptables-legacy -t raw -A PREROUTING -i cust0 -j DROP");
    if (!result.Ok()) return Complain(result.output);
  }
  ether_header link{};
  link.ether_type = htons(ETHERTYPE_IP);
  if (!ReadMac(lab.router(), "lan0", link.ether_dhost) ||
      !ReadMac(lab.client(), "eth0", link.ether_shost)) {
    return false;
  }
  for (const lab::Connection& connection : flows->sockets) {
    flows->frames.push_back(MakeFrame(link, connection.fd()));
  }
  return true;
}

bool MeasureAlgorithm(const std::string& algorithm, double target) {
  const std::unique_ptr<lab::Lab> lab = MakeLab({.check_sources = false});
  if (!lab) return false;
  const Spec spec = SpecOf({.algorithm = algorithm});
  const Inside inside(lab->router());
  Result<std::unique_ptr<Kernel>> kernel = OpenLinuxKernel({});
  if (!kernel) return Complain(kernel.error().message);
  const lab::CommandResult nat =
      lab::Shell(lab->router(), lab::PlainNatScript());
  if (!nat.Ok()) return Complain(nat.output);
  Flows flows;
  if (!Settle(spec, **kernel) || !MakeFlows(*lab, &flows)) return false;
  Sender sender(lab->client(), std::move(flows.frames));

  const std::uint64_t before = Arrived(*lab);
  std::vector<double> ratios;
  std::vector<double> ours;
  std::vector<double> floors;
  for (int i = 0; i < kPairs; ++i) {
    if (!Settle(spec, **kernel)) return false;
    sender.Burst();  // warms the caches
    const double with = sender.Burst();
    CleanUp(**kernel, false, Now);
    sender.Burst();
    const double without = sender.Burst();
    if (with == 0 || without == 0) return Complain("the link took no frames");
    ours.push_back(1000 / with);
    floors.push_back(1000 / without);
    ratios.push_back(without / with);
  }
  const std::uint64_t sent = std::uint64_t{4} * kPairs * kBatch * kBatches;
  if (Arrived(*lab) - before < sent * 99 / 100) {
    return Complain("packets were lost: " + std::to_string(Arrived(*lab)) +
                    " of " + std::to_string(sent));
  }
  const double ratio = Median(ratios);
  PrintRow({.what = "forwarding, " + algorithm + ", packets per microsecond",
            .ours = Number(Median(ours), 3, ""),
            .floor = Number(Median(floors), 3, ""),
            .figure = Number(ratio, 3, "x"),
            .target = "at least " + Number(target, 2, "x"),
            .met = ratio >= target});
  return true;
}

}  // namespace

bool MeasureForwarding() {
  // All of a packet's way on one processor, whichever is not the first.
  cpu_set_t old{};
  cpu_set_t one{};
  sched_getaffinity(0, sizeof old, &old);
  CPU_ZERO(&one);
  CPU_SET(CPU_COUNT(&old) > 1 ? 1 : 0, &one);
  sched_setaffinity(0, sizeof one, &one);
  const bool worked = MeasureAlgorithm("weighted-random", 0.96) &&
                      MeasureAlgorithm("least-loaded", 0.92);
  sched_setaffinity(0, sizeof old, &old);
  return worked;
}

}  // namespace uplinkd::bench
