// Watchdog: tells the service manager that an event loop still turns.
//
// systemd restarts a service that has WatchdogSec= and is silent for that long
// (WATCHDOG_USEC in the environment, sd_watchdog_enabled(3)). The word comes
// from the loop of the thread that owns the kernel, so an agent that is stuck
// does not give it, however well its other threads do.
#ifndef UPLINKD_AGENT_WATCHDOG_H_
#define UPLINKD_AGENT_WATCHDOG_H_

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>

namespace uplinkd {

class Watchdog {
 public:
  // `context` must outlive it.
  explicit Watchdog(asio::io_context& context) : timer_(context) {}

  // Gives the first word now and one in each half of the interval from then on,
  // from within `context`. Does nothing where nobody waits for it.
  void Start();

 private:
  void Arm();

  asio::steady_timer timer_;
  std::chrono::microseconds pause_{0};
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_WATCHDOG_H_
