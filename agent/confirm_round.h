// ConfirmRound: asks by every uplink what must be answered before a spec
// confirms itself.
//
//   checks, paths of the ready uplinks  ->  probes  ->  "", or what is missing
//
// One round at a time. For the thread that runs the io_context.
#ifndef UPLINKD_AGENT_CONFIRM_ROUND_H_
#define UPLINKD_AGENT_CONFIRM_ROUND_H_

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/health_monitor.h"
#include "agent/probe.h"

namespace uplinkd {

// What one check found, by each path that it was asked by.
struct CheckFindings {
  Probe check;
  std::vector<ProbeResult> results;
};
// "" if each ARP check was answered by every path that it was asked by, and
// each other check by one of them; else the first that was not, and why. Pure.
std::string FaultOf(const std::vector<CheckFindings>& findings);

class ConfirmRound {
 public:
  // How long an answer is waited for: as long as probes of uplinks are.
  static constexpr std::chrono::milliseconds kTimeout{1000};

  ConfirmRound(asio::io_context& context, ProbeStarter start_probe)
      : context_(context), start_probe_(std::move(start_probe)) {}

  // Asks. `done` is called once, from the io_context, unless Drop() comes
  // before. Only if no round is under way.
  void Begin(const std::vector<Probe>& checks,
             const std::vector<ProbePath>& paths,
             std::function<void(const std::string& fault)> done);
  void Drop();
  bool under_way() const { return done_ != nullptr; }

 private:
  void End();

  asio::io_context& context_;
  ProbeStarter start_probe_;
  std::vector<CheckFindings> findings_;
  std::vector<std::unique_ptr<ProbeRun>> runs_;
  std::size_t open_ = 0;  // probes without a result
  std::function<void(const std::string&)> done_;
  // Whoever posted something for a round that was dropped finds another one.
  std::shared_ptr<int> round_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CONFIRM_ROUND_H_
