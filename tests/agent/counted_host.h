// CountedHost: a host for tests of what counts. It tells the fates and the
// connections that the test says, and how often it was asked to count.
#ifndef UPLINKD_TESTS_AGENT_COUNTED_HOST_H_
#define UPLINKD_TESTS_AGENT_COUNTED_HOST_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "agent/host.h"
#include "tests/core/fake_kernel.h"

namespace uplinkd::testing {

class CountedHost final : public Host {
 public:
  Kernel& kernel() override { return kernel_; }
  std::vector<Wake> wakes() override { return {}; }
  Result<void> WatchTables(const std::set<std::uint32_t>&, bool) override {
    return {};
  }
  std::map<int, LinkCounters> ReadLinks(const std::set<int>&) override {
    return {};
  }
  Result<ConnectionCounts> CountConnections(std::uint32_t) override {
    ++counts;
    processor_time += counting_takes;
    if (broken) return Fail(ErrorCode::kUnavailable, "no counters");
    return connections;
  }
  Result<ConntrackUsage> ReadConntrackUsage() override {
    return ConntrackUsage{entries, 1000};
  }
  Result<Route> LookUpRoute(const Flow&, std::uint32_t) override {
    return Fail(ErrorCode::kNotFound, "no route");
  }
  Result<void> ListConnections(const Mark&, const ConnectionHandler&) override {
    return {};
  }
  Result<std::uint64_t> CutConnections(const Mark&, Family) override {
    return 0;
  }
  std::uint64_t overruns() const override { return 0; }

  ConnectionCounts connections;
  std::uint64_t entries = 0;
  std::map<Mark, std::uint64_t>& fates() { return kernel_.fates; }

  int counts = 0;
  std::chrono::nanoseconds counting_takes{};
  std::chrono::nanoseconds processor_time{};
  bool broken = false;  // counting fails

 private:
  class LookedAtKernel final : public FakeKernel {
   public:
    Result<ChainLook> LookAtChains() override { return ChainLook{1, fates}; }
    std::map<Mark, std::uint64_t> fates;
  };

  LookedAtKernel kernel_;
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_AGENT_COUNTED_HOST_H_
