#include "tests/agent/fake_host.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>
#include <span>
#include <thread>
#include <utility>

#include "tests/core/builders.h"

namespace uplinkd::testing {
namespace {

constexpr std::chrono::seconds kLong{60};

// Takes the machine's lock around every call, and refuses what a test says.
class LockedKernel final : public Kernel {
 public:
  using Refuses = std::function<std::optional<Error>(const Step&)>;

  LockedKernel(std::mutex& mutex, Kernel& kernel, Refuses& refuses)
      : mutex_(mutex), kernel_(kernel), refuses_(refuses) {}

  Result<Facts> ReadFacts(const FactsScope& scope) override {
    const std::lock_guard lock(mutex_);
    return kernel_.ReadFacts(scope);
  }
  Result<State> Observe(const ObserveScope& scope) override {
    const std::lock_guard lock(mutex_);
    return kernel_.Observe(scope);
  }
  Result<ChainLook> LookAtChains() override {
    const std::lock_guard lock(mutex_);
    return kernel_.LookAtChains();
  }
  std::vector<Outcome> Execute(std::span<const Step> steps) override {
    const std::lock_guard lock(mutex_);
    std::vector<Outcome> outcomes;
    for (const Step& step : steps) {
      const std::optional<Error> error =
          refuses_ ? refuses_(step) : std::nullopt;
      outcomes.push_back(error ? Outcome{StepResult::kFailed, *error}
                               : kernel_.Execute({&step, 1}).front());
    }
    return outcomes;
  }

 private:
  std::mutex& mutex_;
  Kernel& kernel_;    // guarded by mutex_
  Refuses& refuses_;  // guarded by mutex_
};

const v1::Condition* FindCondition(const v1::Status& status,
                                   const std::string& type) {
  for (const v1::Condition& condition : status.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

}  // namespace

class FakeMachine::HostOnMachine final : public Host {
 public:
  explicit HostOnMachine(FakeMachine& machine)
      : machine_(machine),
        kernel_(machine.mutex_, machine.kernel_, machine.counters_.refuses) {}

  Kernel& kernel() override { return kernel_; }
  std::vector<Wake> wakes() override {
    const int fd = machine_.event_.get();
    return {{fd, Trigger::kEvent, [fd] {
               std::uint64_t count = 0;
               return read(fd, &count, sizeof(count)) == sizeof(count);
             }}};
  }
  Result<void> WatchTables(const std::set<std::uint32_t>& tables,
                           bool /*ipv6*/) override {
    machine_.WithCounters([&](Counters& it) { it.watched_tables = tables; });
    return {};
  }
  std::map<int, LinkCounters> ReadLinks(const std::set<int>& links) override {
    return machine_.WithCounters([&](Counters& it) {
      std::map<int, LinkCounters> counters = it.links;
      std::erase_if(counters, [&](const auto& link) {
        return !links.contains(link.first);
      });
      return counters;
    });
  }
  Result<ConnectionCounts> CountConnections(std::uint32_t) override {
    return machine_.WithCounters([](Counters& it) {
      ++it.counts;
      return it.connections;
    });
  }
  Result<ConntrackUsage> ReadConntrackUsage() override {
    return ConntrackUsage{7, 1000};
  }
  // By the mark rules and default routes alone.
  Result<Route> LookUpRoute(const Flow&, std::uint32_t mark) override {
    return machine_.With([mark](FakeKernel& it) -> Result<Route> {
      for (const PolicyRule& rule : it.rules) {
        if (!rule.mark || (mark & rule.mark->mask) != rule.mark->value) {
          continue;
        }
        const auto route =
            it.routes.find({.table = rule.table,
                            .destination = Prefix::Default(Family::kIpv4)});
        if (route != it.routes.end()) return route->second;
      }
      return Fail(ErrorCode::kUnavailable, "Network is unreachable");
    });
  }
  Result<void> ListConnections(const Mark& filter,
                               const ConnectionHandler& handler) override {
    return machine_.WithCounters([&](Counters& it) -> Result<void> {
      for (const Connection& connection : it.tracked) {
        if ((connection.mark & filter.mask) == filter.value) {
          handler(connection);
        }
      }
      return {};
    });
  }
  Result<std::uint64_t> CutConnections(const Mark& mark,
                                       Family family) override {
    return machine_.WithCounters([&](Counters& it) -> Result<std::uint64_t> {
      it.cuts.push_back(mark);
      it.when_cut(machine_.kernel_);
      if (it.cut_error) return tl::unexpected(*it.cut_error);
      return std::erase_if(it.tracked, [&](const Connection& connection) {
        return (connection.mark & mark.mask) == mark.value &&
               connection.source.family() == family;
      });
    });
  }
  std::uint64_t overruns() const override { return 0; }

 private:
  FakeMachine& machine_;
  LockedKernel kernel_;
};

FakeMachine::FakeMachine() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  kernel_.SetHost(TwoUplinkFacts());
}

HostFactory FakeMachine::Factory() {
  return [this]() -> Result<std::unique_ptr<Host>> {
    const std::optional<Error> error = WithCounters([](Counters& it) {
      ++it.opened;
      return it.open_error;
    });
    if (error) return tl::unexpected(*error);
    return std::make_unique<HostOnMachine>(*this);
  };
}

void FakeMachine::Poke() {
  const std::uint64_t one = 1;
  if (write(event_.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
}

RunningEngine::RunningEngine(EngineOptions options)
    : engine_(std::move(options)) {}

RunningEngine::~RunningEngine() {
  Stop();
}

void RunningEngine::Start() {
  thread_ = std::thread([this] { ended_ = engine_.Run(); });
}

void RunningEngine::Stop() {
  if (!thread_.joinable()) return;
  engine_.Stop();
  thread_.join();
}

bool RunningEngine::Becomes(
    const std::function<bool(const v1::Status&)>& good) {
  return engine_.bulletin().WaitUntil(good, kLong, [] { return false; });
}

bool RunningEngine::BecomesInSync(std::uint64_t generation) {
  return Becomes([generation](const v1::Status& status) {
    return status.observed_generation() == generation &&
           ConditionStatus(status, "Programmed") == "True";
  });
}

EngineOptions OptionsFor(FakeMachine& machine, const std::string& state_dir) {
  EngineOptions options;
  options.follower.open_host = machine.Factory();
  options.follower.state_dir = state_dir;
  options.follower.clocks = SystemClocks();
  options.schedule.poll = std::chrono::milliseconds(50);
  options.schedule.first_retry = std::chrono::milliseconds(10);
  options.schedule.last_retry = std::chrono::milliseconds(40);
  options.sample = std::chrono::milliseconds(20);
  return options;
}

std::string ConditionStatus(const v1::Status& status, const std::string& type) {
  const v1::Condition* condition = FindCondition(status, type);
  return condition == nullptr ? "" : condition->status();
}

std::string ConditionReason(const v1::Status& status, const std::string& type) {
  const v1::Condition* condition = FindCondition(status, type);
  return condition == nullptr ? "" : condition->reason();
}

std::string PhaseOf(const v1::Status& status, const std::string& uplink) {
  for (const v1::UplinkStatus& one : status.uplinks()) {
    if (one.name() == uplink) return one.phase();
  }
  return "";
}

}  // namespace uplinkd::testing
