// Forwarding: what a small packet of an established connection costs in the
// router, against the same router with conntrack and source NAT only.
//
// Flows are made through the whole lab, so that they are established, have
// their fate and their translation. Then ready-made frames of these flows are
// put on the client's link, and of their answers on the providers', and the far
// ends drop what arrives. Everything happens on the sender's processor, so the
// time per packet is nearly all the router's. A round is a burst with our
// state, one with the same layout typed by hand, and one with neither.
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
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
constexpr int kRounds = 41;
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

struct Ends {
  sockaddr_in source{};
  sockaddr_in destination{};
};

// Of the flow whose socket this is, as its packets leave the client.
Ends EndsOf(int socket) {
  Ends ends;
  socklen_t size = sizeof ends.source;
  getsockname(socket, reinterpret_cast<sockaddr*>(&ends.source), &size);
  getpeername(socket, reinterpret_cast<sockaddr*>(&ends.destination), &size);
  return ends;
}

// Of its answers as they reach the router. Source NAT keeps a port that is
// free, and the ports of one client are all different.
Ends AnswerTo(const Ends& ends, const std::string& address) {
  Ends answer{ends.destination, ends.source};
  inet_pton(AF_INET, address.c_str(), &answer.destination.sin_addr);
  return answer;
}

Frame MakeFrame(const ether_header& link, const Ends& ends) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.tot_len = htons(sizeof(iphdr) + sizeof(udphdr) + kPayload);
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  ip.saddr = ends.source.sin_addr.s_addr;
  ip.daddr = ends.destination.sin_addr.s_addr;
  std::array<unsigned char, sizeof ip> header{};
  std::memcpy(header.data(), &ip, sizeof ip);
  ip.check = Checksum(header.data(), header.size());
  udphdr udp{};  // without a checksum, which IPv4 allows
  udp.source = ends.source.sin_port;
  udp.dest = ends.destination.sin_port;
  udp.len = htons(sizeof(udphdr) + kPayload);
  Frame frame{};
  unsigned char* at = frame.data();
  std::memcpy(at, &link, sizeof link);
  std::memcpy(at + sizeof link, &ip, sizeof ip);
  std::memcpy(at + sizeof link + sizeof ip, &udp, sizeof udp);
  return frame;
}

// Puts frames on one link.
class Sender {
 public:
  Sender(const lab::Namespace& where, const std::string& link,
         std::vector<Frame> frames)
      : frames_(std::move(frames)) {
    where.Run([&] {
      fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
      sockaddr_ll address{};
      address.sll_family = AF_PACKET;
      address.sll_ifindex = static_cast<int>(if_nametoindex(link.c_str()));
      if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address)) {
        Complain("cannot send on " + link);  // and the first burst fails
      }
    });
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() { close(fd_); }

  // False: the link did not take them all.
  bool Send(int batches) {
    std::array<iovec, kBatch> parts{};
    std::array<mmsghdr, kBatch> messages{};
    for (std::size_t i = 0; i < kBatch; ++i) {
      Frame& frame = frames_[i % frames_.size()];
      parts[i] = {frame.data(), frame.size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (int i = 0; i < batches; ++i) {
      if (sendmmsg(fd_, messages.data(), kBatch, 0) != kBatch) return false;
    }
    return true;
  }

 private:
  std::vector<Frame> frames_;
  int fd_ = -1;
};

using Senders = std::vector<std::unique_ptr<Sender>>;

// Nanoseconds per packet, the same number from each sender; 0 if a link did
// not take them all.
double Burst(const Senders& senders) {
  const int batches = kBatches / static_cast<int>(senders.size());
  const Nanoseconds start = Now();
  for (const auto& sender : senders) {
    if (!sender->Send(batches)) return 0;
  }
  return static_cast<double>((Now() - start).count()) /
         (static_cast<double>(senders.size()) * batches * kBatch);
}

std::uint64_t Received(const lab::Namespace& where, const std::string& link) {
  return std::stoull(lab::Shell(where, "ip -s link show " + link +
                                           " | awk '/RX:/ {getline; print $2}'")
                         .output);
}

// At the far ends of all flows.
std::uint64_t Arrived(const lab::Lab& lab) {
  std::uint64_t sum = Received(lab.client(), "eth0");
  for (std::size_t n = 1; n <= lab.uplinks(); ++n) {
    sum += Received(lab.provider(n), "cust0");
  }
  return sum;
}

struct Flows {
  std::vector<lab::Connection> sockets;  // keep their ports
  Senders upload;                        // the client's
  Senders download;                      // one of each provider
};

bool DropWhatComes(const lab::Namespace& where, const std::string& link) {
  const lab::CommandResult result = lab::Shell(
      where, "iptables-legacy -t raw -A PREROUTING -i " + link + " -j DROP");
  return result.Ok() || Complain(result.output);
}

// The header of frames from `link` of `where` to `router_link`.
bool ReadLinkHeader(const lab::Lab& lab, const std::string& router_link,
                    const lab::Namespace& where, const std::string& link,
                    ether_header* header) {
  header->ether_type = htons(ETHERTYPE_IP);
  return ReadMac(lab.router(), router_link, header->ether_dhost) &&
         ReadMac(where, link, header->ether_shost);
}

bool MakeSenders(const lab::Lab& lab, const std::vector<std::string>& answers,
                 Flows* flows) {
  ether_header link{};
  if (!ReadLinkHeader(lab, "lan0", lab.client(), "eth0", &link)) return false;
  std::vector<Frame> frames;
  for (const lab::Connection& connection : flows->sockets) {
    frames.push_back(MakeFrame(link, EndsOf(connection.fd())));
  }
  flows->upload.push_back(
      std::make_unique<Sender>(lab.client(), "eth0", std::move(frames)));
  for (std::size_t n = 1; n <= lab.uplinks(); ++n) {
    if (!ReadLinkHeader(lab, lab::UplinkInterface(n), lab.provider(n), "cust0",
                        &link)) {
      return false;
    }
    frames.clear();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i] != lab::UplinkAddress(n)) continue;
      const Ends ends = EndsOf(flows->sockets[i].fd());
      frames.push_back(MakeFrame(link, AnswerTo(ends, answers[i])));
    }
    if (frames.empty()) continue;
    flows->download.push_back(
        std::make_unique<Sender>(lab.provider(n), "cust0", std::move(frames)));
    if (!DropWhatComes(lab.provider(n), "cust0")) return false;
  }
  return DropWhatComes(lab.client(), "eth0");
}

// Established through the whole lab; then the far ends drop what comes.
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
  return MakeSenders(lab, *answers, flows);
}

// Nanoseconds per packet of each burst.
using Times = std::vector<double>;

struct Directions {
  Times upload;
  Times download;

  // Half of the packets in each.
  Times Both() const {
    Times both;
    for (std::size_t i = 0; i < upload.size(); ++i) {
      both.push_back((upload[i] + download[i]) / 2);
    }
    return both;
  }
};

// Warms the caches, then measures; false if the link took no frames.
bool MeasureBurst(const Senders& senders, Times* times) {
  Burst(senders);
  times->push_back(Burst(senders));
  return times->back() > 0 || Complain("the link took no frames");
}

bool MeasureBursts(const Flows& flows, Directions* times) {
  return MeasureBurst(flows.upload, &times->upload) &&
         MeasureBurst(flows.download, &times->download);
}

void Print(const std::string& what, const Times& with, const Times& without,
           std::optional<double> target) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < with.size(); ++i) {
    ratios.push_back(without[i] / with[i]);
  }
  const double ratio = Median(ratios);
  PrintRow({.what = "forwarding, " + what + ", packets/us",
            .ours = Number(1000 / Median(with), 3, ""),
            .floor = Number(1000 / Median(without), 3, ""),
            .figure = Number(ratio, 3, "x"),
            .target = target ? "at least " + Number(*target, 2, "x") : "",
            .met = target && ratio >= *target});
}

// The bursts of one round: our state, the same layout typed by hand, neither.
struct Rounds {
  Directions ours;
  Directions by_hand;
  Directions without;
};

bool MeasureRound(const lab::Lab& lab, const Flows& flows, const Spec& spec,
                  Kernel& kernel, Rounds* rounds) {
  if (!Settle(spec, kernel) || !MeasureBursts(flows, &rounds->ours)) {
    return false;
  }
  CleanUp(kernel, false, Now);
  const lab::CommandResult typed =
      lab::Shell(lab.router(), lab::LayoutScript());
  if (!typed.Ok()) return Complain(typed.output);
  if (!MeasureBursts(flows, &rounds->by_hand)) return false;
  CleanUp(kernel, false, Now);  // its names and numbers are ours
  return MeasureBursts(flows, &rounds->without);
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

  const std::uint64_t before = Arrived(*lab);
  Rounds rounds;
  for (int i = 0; i < kRounds; ++i) {
    if (!MeasureRound(*lab, flows, spec, **kernel, &rounds)) return false;
  }
  constexpr std::uint64_t kBursts = 12;  // of a round
  const std::uint64_t sent = kBursts * kRounds * kBatch * kBatches;
  const std::uint64_t arrived = Arrived(*lab) - before;
  if (arrived < sent * 99 / 100) {
    return Complain("packets were lost: " + std::to_string(arrived) + " of " +
                    std::to_string(sent));
  }
  const auto& [ours, by_hand, without] = rounds;
  Print(algorithm, ours.Both(), without.Both(), target);
  Print(algorithm + ", upload", ours.upload, without.upload, {});
  Print(algorithm + ", download", ours.download, without.download, {});
  Print("weighted-random typed by hand", by_hand.Both(), without.Both(), {});
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
