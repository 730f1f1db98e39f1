// Fleet: three routers with the real agent, each in a lab of its own, and a
// real Prometheus that watches them: office, branch and depot, as in
// examples/prometheus. With a trickle of new connections in each.
#ifndef UPLINKD_TESTS_LAB_FLEET_H_
#define UPLINKD_TESTS_LAB_FLEET_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/lab/agent_lab.h"
#include "tests/lab/monitoring.h"

namespace uplinkd::lab {

// Ten new connections a second, of which the last twenty stay open.
class Trickle {
 public:
  explicit Trickle(const Namespace& where)
      : thread_([this, &where] { where.Run([this] { Flow(); }); }) {}
  Trickle(const Trickle&) = delete;
  Trickle& operator=(const Trickle&) = delete;
  ~Trickle() {
    stop_ = true;
    thread_.join();
  }

 private:
  void Flow() {
    std::deque<Connection> open;
    while (!stop_) {
      Result<Connection> connection =
          Connection::OpenHere({.patience = std::chrono::milliseconds(200)});
      if (connection && connection->Ask()) {
        open.push_back(std::move(*connection));
      }
      if (open.size() > 20) open.pop_front();
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct FleetRouter {
  std::unique_ptr<Lab> lab;
  std::unique_ptr<TrafficServer> server;
  std::unique_ptr<RouterAgent> agent;
  std::unique_ptr<Trickle> trickle;
  std::string address;                 // of its metrics
  std::string spec;                    // as YAML
  std::vector<std::string> arguments;  // further ones of its agent
};

class Fleet : public testing::Test {
 protected:
  using Alert = Monitoring::Alert;
  using Alerts = std::set<Alert>;

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  // Labs first: the agents all use the xtables lock of the last one.
  void Build(const std::map<std::string, LabOptions>& routers) {
    auto monitoring = Monitoring::Create();
    ASSERT_TRUE(monitoring) << monitoring.error().message;
    monitoring_ = std::move(*monitoring);
    for (const auto& [name, options] : routers) {
      FleetRouter& router = routers_[name];
      Result<std::unique_ptr<Lab>> lab = Lab::Create(options);
      ASSERT_TRUE(lab) << lab.error().message;
      router.lab = std::move(*lab);
      auto server = TrafficServer::Start(router.lab->server());
      ASSERT_TRUE(server) << server.error().message;
      router.server = std::move(*server);
    }
  }

  // As number `n` of the network.
  void Start(const std::string& name, std::size_t n, const LabSpec& spec) {
    FleetRouter& router = routers_.at(name);
    const Result<void> linked = monitoring_->Link(router.lab->router(), n);
    ASSERT_TRUE(linked) << linked.error().message;
    router.address = Monitoring::Address(n) + ":9871";
    ASSERT_NO_FATAL_FAILURE(StartAgent(name));
    router.spec = spec.Text();
    const Result<v1::ApplyResponse> applied = router.agent->Apply(router.spec);
    ASSERT_TRUE(applied) << applied.error().message;
    router.trickle = std::make_unique<Trickle>(router.lab->client());
  }

  // Also again, with what it had stored.
  void StartAgent(const std::string& name) {
    FleetRouter& router = routers_.at(name);
    router.agent.reset();
    Result<std::unique_ptr<RouterAgent>> agent =
        RouterAgent::Start(*router.lab, {.arguments = router.arguments,
                                         .metrics_address = router.address,
                                         .log_level = "info",
                                         .name = name});
    ASSERT_TRUE(agent) << agent.error().message;
    router.agent = std::move(*agent);
  }

  // Until Prometheus has seen that it did.
  void RestartAgent(const std::string& name) {
    const auto started = [&] {
      const auto answer = monitoring_->Query(
          "uplinkd_start_timestamp_seconds{instance=\"" + name + "\"}");
      return answer && answer->size() == 1 ? answer->begin()->second : 0.0;
    };
    const double before = started();
    ASSERT_NO_FATAL_FAILURE(StartAgent(name));
    ASSERT_TRUE(Eventually(
        [&] {
          const double now = started();
          return now != 0 && now != before;
        },
        std::chrono::seconds(20)))
        << monitoring_->Log();
  }

  const Lab& LabOf(const std::string& name) { return *routers_.at(name).lab; }

  static void Do(const Namespace& where, const std::string& script) {
    const CommandResult result = Shell(where, script);
    ASSERT_TRUE(result.Ok()) << script << ": " << result.output;
  }

  // Provider `n` of a router drops what matches; or nothing any more.
  void Drop(const std::string& name, std::size_t n, const std::string& match) {
    Do(LabOf(name).provider(n),
       "iptables-legacy -t raw -A PREROUTING -i cust0 " + match + " -j DROP");
  }
  void Hear(const std::string& name, std::size_t n) {
    Do(LabOf(name).provider(n), "iptables-legacy -t raw -F PREROUTING");
  }

  void WaitForPhase(const std::string& name, const std::string& uplink,
                    const std::string& phase) {
    const Result<v1::Status> status = routers_.at(name).agent->WaitFor(
        [&](const v1::Status& it) { return PhaseOf(it, uplink) == phase; });
    ASSERT_TRUE(status) << status.error().message;
  }

  // The alerts that Alertmanager has now; a failure to ask is none.
  Alerts Firing() {
    Alerts firing;
    const auto alerts = monitoring_->Alerts();
    EXPECT_TRUE(alerts) << alerts.error().message;
    if (!alerts) return firing;
    for (const auto& [alert, about] : *alerts) firing.insert(alert);
    return firing;
  }

  static std::string Words(const Alerts& alerts) {
    std::string words;
    for (const Alert& alert : alerts) {
      words += alert.name + " " + alert.instance + " " + alert.uplink + "\n";
    }
    return words;
  }

  // Whether all of them fire, or none of them does, within the patience.
  void WaitUntilFiring(const Alerts& wanted) {
    EXPECT_TRUE(Eventually(
        [&] { return std::ranges::includes(Firing(), wanted); }, kPatience))
        << "wanted:\n"
        << Words(wanted) << "firing:\n"
        << Words(Firing()) << monitoring_->Log();
    for (const Alert& alert : wanted) fired_.insert(alert.name);
  }
  void WaitUntilQuiet(const Alerts& over) {
    EXPECT_TRUE(Eventually(
        [&] {
          const Alerts firing = Firing();
          return std::ranges::none_of(
              over, [&](const Alert& alert) { return firing.contains(alert); });
        },
        kPatience))
        << "firing:\n"
        << Words(Firing());
  }

  static constexpr std::chrono::seconds kPatience{40};

  std::unique_ptr<Monitoring> monitoring_;
  std::map<std::string, FleetRouter> routers_;  // by instance
  std::set<std::string> fired_;  // the names of alerts that were waited for
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_FLEET_H_
