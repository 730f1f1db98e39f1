// Probe runs: one question to the outside, by one uplink, with one answer.
//
//   Probe, ProbePath -> ProbeResult
//
// Every socket of a run is pinned to its uplink: bound to the link
// (SO_BINDTODEVICE) and to the uplink's address, with the bypass mark, so that
// neither main's default route nor any fate takes it elsewhere. Nothing blocks
// and no name is resolved. A run ends by itself at its timeout, and at once
// when its owner lets go of it. Everything here belongs to the thread that runs
// the io_context.
#ifndef UPLINKD_AGENT_PROBE_H_
#define UPLINKD_AGENT_PROBE_H_

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "reconciler/health.h"
#include "reconciler/ip.h"

namespace uplinkd {

// The way that probes of an uplink take.
struct ProbePath {
  std::string link;
  int link_index = 0;
  std::optional<Address> source;   // IPv4
  std::optional<Address> gateway;  // IPv4; none: a point-to-point link
  std::uint32_t mark = 0;          // of every packet
  std::optional<Address> source6 = std::nullopt;  // IPv6

  friend auto operator<=>(const ProbePath&, const ProbePath&) = default;
};

struct ProbeOrder {
  Probe probe;
  ProbePath path;
  std::chrono::milliseconds timeout{};
};

// A run that is under way. It is cancelled when this goes: nothing is called
// back after that.
class ProbeRun {
 public:
  ProbeRun() = default;
  ProbeRun(const ProbeRun&) = delete;
  ProbeRun& operator=(const ProbeRun&) = delete;
  virtual ~ProbeRun() = default;
};

// Called once, and never from within StartProbe().
using ProbeDone = std::function<void(ProbeResult)>;

// Begins to run `order`. A socket that cannot be had is a result as well: its
// fault has the kernel's words.
std::unique_ptr<ProbeRun> StartProbe(asio::io_context& context,
                                     const ProbeOrder& order, ProbeDone done);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PROBE_H_
