#include <linux/netlink.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "agent/host.h"
#include "reconciler/linux/linux_kernel.h"
#include "reconciler/linux/monitor.h"
#include "reconciler/linux/route_lookup.h"
#include "reconciler/linux/xtables_lock.h"

namespace uplinkd {
namespace {

class LinuxHost final : public Host {
 public:
  LinuxHost(std::unique_ptr<Kernel> kernel, std::unique_ptr<Monitor> monitor,
            std::unique_ptr<Statistics> statistics,
            std::unique_ptr<Conntrack> conntrack,
            std::unique_ptr<LockWatch> lock_watch)
      : kernel_(std::move(kernel)),
        monitor_(std::move(monitor)),
        statistics_(std::move(statistics)),
        conntrack_(std::move(conntrack)),
        lock_watch_(std::move(lock_watch)) {}

  Kernel& kernel() override { return *kernel_; }

  std::vector<Wake> wakes() override {
    std::vector<Wake> wakes;
    wakes.push_back({monitor_->fd(), Trigger::kEvent,
                     [this] { return monitor_->Drain(); }});
    if (lock_watch_ != nullptr) {
      wakes.push_back({lock_watch_->fd(), Trigger::kHint,
                       [this] { return lock_watch_->Drain(); }});
    }
    return wakes;
  }

  Result<void> WatchTables(const std::set<std::uint32_t>& tables,
                           bool ipv6) override {
    return monitor_->WatchTables(tables, ipv6);
  }
  std::map<int, LinkCounters> ReadLinks(const std::set<int>& links) override {
    if (statistics_ == nullptr) return {};
    return statistics_->ReadLinks(links);
  }
  Result<ConnectionCounts> CountConnections(std::uint32_t mask) override {
    if (statistics_ == nullptr) return NoStatistics();
    return statistics_->CountConnections(mask);
  }
  Result<ConntrackUsage> ReadConntrackUsage() override {
    if (statistics_ == nullptr) return NoStatistics();
    return statistics_->ReadConntrackUsage();
  }
  Result<Route> LookUpRoute(const Flow& flow, std::uint32_t mark) override {
    // Asked so seldom that a socket of its own costs nothing.
    const Result<std::unique_ptr<NlSocket>> socket =
        NlSocket::Open(NETLINK_ROUTE);
    if (!socket) return tl::unexpected(socket.error());
    LinkNames names(**socket);
    return uplinkd::LookUpRoute(**socket, names, flow, mark);
  }
  Result<void> ListConnections(const Mark& filter,
                               const ConnectionHandler& handler) override {
    if (conntrack_ == nullptr) return NoConntrack();
    return conntrack_->List(filter, handler);
  }
  Result<std::uint64_t> CutConnections(const Mark& mark,
                                       Family family) override {
    if (conntrack_ == nullptr) return NoConntrack();
    return conntrack_->Cut(mark, family);
  }
  std::uint64_t overruns() const override { return monitor_->overruns(); }

 private:
  static tl::unexpected<Error> NoStatistics() {
    return Fail(ErrorCode::kUnavailable, "there are no counters");
  }

  static tl::unexpected<Error> NoConntrack() {
    return Fail(ErrorCode::kFailedPrecondition,
                "connection tracking could not be opened");
  }

  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Monitor> monitor_;
  std::unique_ptr<Statistics> statistics_;  // null: no traffic is shown
  std::unique_ptr<Conntrack> conntrack_;    // null: no connection is cut
  std::unique_ptr<LockWatch> lock_watch_;   // null: the poll has to do
};

}  // namespace

Result<std::unique_ptr<Host>> OpenLinuxHost() {
  // Events first: what happens while we read must not be missed.
  Result<std::unique_ptr<Monitor>> monitor = Monitor::Open();
  if (!monitor) return tl::unexpected(monitor.error());
  Result<std::unique_ptr<Kernel>> kernel =
      OpenLinuxKernel(LinuxKernelOptions{});
  if (!kernel) return tl::unexpected(kernel.error());
  Result<std::unique_ptr<Statistics>> statistics = Statistics::Open();
  if (!statistics) {
    spdlog::warn("no traffic counters: {}", statistics.error().message);
    statistics = nullptr;
  }
  Result<std::unique_ptr<Conntrack>> conntrack = Conntrack::Open();
  if (!conntrack) {
    spdlog::warn("no connection will be cut: {}", conntrack.error().message);
    conntrack = nullptr;
  }
  Result<std::unique_ptr<LockWatch>> lock_watch = LockWatch::Open();
  if (!lock_watch) {
    spdlog::warn("no hints about iptables programs, chains are polled: {}",
                 lock_watch.error().message);
    lock_watch = nullptr;
  }
  return std::make_unique<LinuxHost>(
      std::move(*kernel), std::move(*monitor), std::move(*statistics),
      std::move(*conntrack), std::move(*lock_watch));
}

}  // namespace uplinkd
