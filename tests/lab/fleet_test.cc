// A fleet of routers watched by the real Prometheus and Alertmanager: faults
// make alerts, and mending them ends them; the dashboards have what to show.
#include "tests/lab/fleet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <string_view>

#include "reconciler/linux/unique_fd.h"
#include "tests/lab/dashboard_check.h"
#include "tests/lab/small_disk.h"
#include "tests/lab/stopped_thread.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kProbes[] =
    "{probes: [{icmp: 203.0.113.10}, {arp: gateway}], interval: 200ms, "
    "timeout: 200ms, quorum: 2, down: 2, up: 2}";
// Bears much loss before it is down.
constexpr char kLossProbes[] =
    "{probes: [{icmp: 203.0.113.10}], interval: 100ms, down: 10, up: 2, "
    "loss: {degraded: 20%, recovered: 5%}}";

TEST(ShortenDurations, DividesEveryDurationAndNothingElse) {
  EXPECT_EQ(ShortenDurations("for: 1m\nexpr: rate(x[5m])\ninterval: 15s"),
            "for: 2000ms\nexpr: rate(x[10000ms])\ninterval: 500ms");
  EXPECT_EQ(ShortenDurations("repeat_interval: 4h"),
            "repeat_interval: 480000ms");
  for (const char* text :
       {"record: instance_uplink:uplinkd_receive_bytes:rate5m", "> 0.9",
        "192.0.2.11:9871", "over 90 % of its capacity", "5mbit"}) {
    EXPECT_EQ(ShortenDurations(text), text);
  }
}

TEST(Dashboards, AreWellFormed) {
  for (const char* name : {"fleet", "router"}) {
    const Result<Dashboard> dashboard = Dashboard::Read(name);
    ASSERT_TRUE(dashboard) << dashboard.error().message;
    EXPECT_THAT(dashboard->Faults(), IsEmpty()) << name;
    EXPECT_GT(dashboard->Queries({}).size(), 10U);
  }
}

std::set<std::string> NamesOfAllAlerts() {
  std::ifstream file(std::string(UPLINKD_EXAMPLES) +
                     "/prometheus/uplinkd-alerts.yml");
  constexpr std::string_view kKey = "- alert: ";
  std::set<std::string> names;
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(kKey);
    if (at != std::string::npos) names.insert(line.substr(at + kKey.size()));
  }
  return names;
}

double SecondsNow() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Removes a rule of ours again and again, until it goes.
class Vandal {
 public:
  explicit Vandal(const Namespace& router)
      : thread_([this, &router] {
          while (!stop_) {
            static_cast<void>(Shell(router, "ip rule del priority 20102"));
            std::this_thread::sleep_for(milliseconds(200));
          }
        }) {}
  Vandal(const Vandal&) = delete;
  Vandal& operator=(const Vandal&) = delete;
  ~Vandal() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Sends `count` datagrams that are a connection each. The thread is in the
// client's namespace.
void MakeConnections(std::uint32_t count) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  UniqueFd fd;
  for (std::uint32_t i = 0; i < count; ++i) {
    constexpr std::uint32_t kPorts = 60000;
    if (i % kPorts == 0) fd = UniqueFd(socket(AF_INET, SOCK_DGRAM, 0));
    to.sin_addr.s_addr = htonl(0xc6336401);  // 198.51.100.1, which is nobody
    to.sin_port = htons(static_cast<std::uint16_t>(1024 + i % kPorts));
    static_cast<void>(sendto(fd.get(), "", 0, MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&to),
                             sizeof(to)));
  }
}

class FleetTest : public Fleet {
 protected:
  void Begin() {
    ASSERT_NO_FATAL_FAILURE(
        Build({{"office", {}},
               {"branch", {}},
               {"depot", {.lines = {{2, 2}, {2, 2}, {2, 2}}}}}));
    ASSERT_NO_FATAL_FAILURE(Start(
        "office", 1, {.capacities = {1000, 1000}, .health = kLossProbes}));
    ASSERT_NO_FATAL_FAILURE(Start("branch", 2, {.health = kProbes}));
    disk_ =
        std::make_unique<SmallDisk>(LabOf("depot").directory() / "depot.state");
    ASSERT_TRUE(disk_->mounted());
    ASSERT_NO_FATAL_FAILURE(Start("depot", 3,
                                  {.uplinks = 3,
                                   .capacities = {2, 2, 2},
                                   .more = "    onFailover: keep\n"}));
    const Result<void> started = monitoring_->Start();
    ASSERT_TRUE(started) << started.error().message;
    // Every router is scraped, and nothing is wrong.
    ASSERT_TRUE(Eventually(
        [this] {
          const auto up = monitoring_->Query("sum(uplinkd_in_sync) == 3");
          return up && !up->empty();
        },
        seconds(20)))
        << monitoring_->Log();
    std::this_thread::sleep_for(seconds(1));
    EXPECT_THAT(Words(Firing()), IsEmpty());
  }

  // The first line of the branch comes and goes, then both are dead.
  void LoseTheBranch() {
    for (int i = 0; i < 3; ++i) {
      ASSERT_NO_FATAL_FAILURE(Drop("branch", 1, ""));
      ASSERT_NO_FATAL_FAILURE(WaitForPhase("branch", "wan1", "Down"));
      ASSERT_NO_FATAL_FAILURE(Hear("branch", 1));
      ASSERT_NO_FATAL_FAILURE(WaitForPhase("branch", "wan1", "Ready"));
    }
    ASSERT_NO_FATAL_FAILURE(Drop("branch", 1, ""));
    ASSERT_NO_FATAL_FAILURE(Drop("branch", 2, ""));
  }

  void FillConntrackOfTheOffice() {
    const auto limit =
        monitoring_->Query("uplinkd_conntrack_limit{instance=\"office\"}");
    ASSERT_TRUE(limit);
    ASSERT_EQ(limit->size(), 1U);
    const double entries = limit->begin()->second;
    ASSERT_LE(entries, 1 << 20) << "too many to make";
    ASSERT_NO_FATAL_FAILURE(
        Do(LabOf("office").router(),
           "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600"));
    LabOf("office").client().Run(
        [&] { MakeConnections(static_cast<std::uint32_t>(entries * 0.93)); });
  }

  // What it says is for people: complete, and about the right router.
  void CheckWords() {
    const auto alerts = monitoring_->Alerts();
    ASSERT_TRUE(alerts) << alerts.error().message;
    for (const auto& [alert, about] : *alerts) {
      EXPECT_THAT(about.at("summary"), StartsWith(alert.instance + ": "));
      EXPECT_THAT(about.at("summary"), HasSubstr(alert.uplink));
      for (const char* part : {"summary", "description"}) {
        EXPECT_THAT(about.at(part), Not(HasSubstr("<no value>")));
        EXPECT_THAT(about.at(part), Not(HasSubstr("{{")));
      }
    }
  }

  void CheckMetrics() {
    for (const auto& [name, router] : routers_) {
      const CommandResult lint =
          Shell(router.lab->router(), "curl -sS http://" + router.address +
                                          "/metrics | promtool check metrics");
      EXPECT_EQ(lint.exit_code, 0) << name;
      EXPECT_EQ(lint.output, "") << name;
    }
  }

  void LockTheDiskOfTheDepot() {
    ASSERT_TRUE(disk_->SetReadOnly(true));
    const CommandResult drained =
        routers_.at("depot").agent->Ctl({"drain", "wan1"});
    ASSERT_EQ(drained.exit_code, 2) << drained.output;
  }

  // Faults of traffic, of the kernel and of a disk, all at once.
  void BreakAndMendTheNetwork() {
    const Alerts wanted = {
        {"UplinkdUplinkFlapping", "branch", "wan1"},
        {"UplinkdUplinkDown", "branch", "wan1"},
        {"UplinkdUplinkDown", "branch", "wan2"},
        {"UplinkdNoUplinkLeft", "branch", ""},
        {"UplinkdUplinkDegraded", "office", "wan1"},
        {"UplinkdDriftRepeats", "office", ""},
        {"UplinkdConntrackNearlyFull", "office", ""},
        {"UplinkdUplinkSaturated", "depot", "wan1"},
        {"UplinkdUplinkSaturated", "depot", "wan2"},
        {"UplinkdOutOfSync", "depot", ""},
        {"UplinkdNotSaved", "depot", ""},
    };
    {
      const Downloads downloads(LabOf("depot").client(), {.port = kSourcePort},
                                24);
      ASSERT_NO_FATAL_FAILURE(
          Do(LabOf("depot").router(),
             "ip route replace default via 198.18.3.1 dev wan3 table 13"));
      ASSERT_NO_FATAL_FAILURE(LockTheDiskOfTheDepot());
      ASSERT_NO_FATAL_FAILURE(LoseTheBranch());
      ASSERT_NO_FATAL_FAILURE(FillConntrackOfTheOffice());
      ASSERT_NO_FATAL_FAILURE(Drop(
          "office", 1, "-p icmp -m statistic --mode nth --every 2 --packet 0"));
      const Vandal vandal(LabOf("office").router());
      WaitUntilFiring(wanted);
      CheckWords();
      CheckMetrics();
      peak_ = SecondsNow();
      CheckTheFirstRow();
    }
    ASSERT_NO_FATAL_FAILURE(
        Do(LabOf("depot").router(),
           "ip route del default via 198.18.3.1 dev wan3 table 13"));
    ASSERT_TRUE(disk_->SetReadOnly(false));
    ASSERT_NO_FATAL_FAILURE(Hear("branch", 1));
    ASSERT_NO_FATAL_FAILURE(Hear("branch", 2));
    ASSERT_NO_FATAL_FAILURE(Hear("office", 1));
    ASSERT_NO_FATAL_FAILURE(
        Do(LabOf("office").router(), "conntrack -F >/dev/null 2>&1"));
    WaitUntilQuiet({{"UplinkdUplinkDown", "branch", "wan1"},
                    {"UplinkdNoUplinkLeft", "branch", ""},
                    {"UplinkdUplinkSaturated", "depot", "wan1"},
                    {"UplinkdOutOfSync", "depot", ""},
                    {"UplinkdNotSaved", "depot", ""}});
  }

  // What the fleet's dashboard answers at one look, in the middle of all that.
  void CheckTheFirstRow() {
    const Result<Dashboard> fleet = Dashboard::Read("fleet");
    ASSERT_TRUE(fleet);
    std::map<std::string, std::map<Monitoring::Labels, double>> answers;
    for (const PanelQuery& query : fleet->Queries(FleetVariables())) {
      if (!query.instant) continue;
      const auto answer = monitoring_->Query(query.expression);
      ASSERT_TRUE(answer) << answer.error().message;
      answers[query.panel] = *answer;
    }
    const auto only = [&](const std::string& panel) {
      const auto& values = answers.at(panel);
      return values.size() == 1 ? values.begin()->second : -1;
    };
    EXPECT_GE(only("Uplinks down"), 2);
    EXPECT_EQ(only("Routers without an uplink"), 1);
    EXPECT_EQ(only("Agents that do not answer"), 0);
    EXPECT_GE(only("Routers out of sync"), 1);
    EXPECT_GT(only("Repairs in this time"), 0);
    std::set<std::string> down;
    for (const auto& [labels, since] :
         answers.at("Which uplink is bad, and since when")) {
      if (labels.at("phase") != "Down") continue;
      down.insert(labels.at("instance") + " " + labels.at("uplink"));
      EXPECT_GT(since, 1);
      EXPECT_LT(since, 60);
    }
    EXPECT_THAT(down, testing::ElementsAre("branch wan1", "branch wan2"));
  }

  static Dashboard::Variables FleetVariables() {
    return {{"job", "uplinkd"}, {"instance", "(office|branch|depot)"}};
  }

  void CheckDashboards() {
    const std::set<std::string> jobs = {"uplinkd"};
    const std::set<std::string> routers = {"office", "branch", "depot"};
    const Result<Dashboard> fleet = Dashboard::Read("fleet");
    const Result<Dashboard> router = Dashboard::Read("router");
    ASSERT_TRUE(fleet && router);
    DashboardRun run{FleetVariables(), began_, peak_, SecondsNow(), {}};
    run.known = {{"job", jobs},
                 {"instance", routers},
                 {"uplink", {"wan1", "wan2", "wan3"}}};
    EXPECT_THAT(CheckDashboard(*fleet, run, *monitoring_), IsEmpty());
    run.variables = {
        {"job", "uplinkd"}, {"instance", "office"}, {"uplink", "(.*)"}};
    run.known["uplink"] = {"wan1", "wan2"};
    EXPECT_THAT(CheckDashboard(*router, run, *monitoring_), IsEmpty());
  }

  std::unique_ptr<SmallDisk> disk_;  // of the depot's state
  double began_ = SecondsNow();
  double peak_ = 0;

  // One agent is gone, one waits for the kernel, and one may not repair.
  void BreakAndMendTheAgents() {
    const Alerts wanted = {{"UplinkdAgentGone", "depot", ""},
                           {"UplinkdAgentStuck", "branch", ""},
                           {"UplinkdPaused", "office", ""}};
    RouterAgent& office = *routers_.at("office").agent;
    ASSERT_EQ(office.Ctl({"pause", "--for", "5m"}).exit_code, 0);
    ASSERT_NO_FATAL_FAILURE(
        Do(LabOf("office").router(), "ip rule del priority 20102"));
    Process& depot = routers_.at("depot").agent->process();
    depot.Signal(SIGKILL);
    depot.Wait(seconds(10));
    {
      const StoppedThread stuck(routers_.at("branch").agent->process().pid(),
                                "engine");
      ASSERT_TRUE(stuck.Stopped());
      WaitUntilFiring(wanted);
      CheckWords();
      EXPECT_FALSE(Firing().contains({"UplinkdOutOfSync", "office", ""}));
    }
    ASSERT_EQ(office.Ctl({"resume"}).exit_code, 0);
    ASSERT_NO_FATAL_FAILURE(StartAgent("depot"));
    WaitUntilQuiet(wanted);
  }

  // One starts again and again, and its file is no spec.
  void BreakAndMendTheFile() {
    FleetRouter& depot = routers_.at("depot");
    const std::string file = LabOf("depot").directory() / "depot.yaml";
    std::ofstream(file) << "kind: Router\nspec: {uplinks: none}\n";
    depot.arguments = {"--spec", file};
    for (int i = 0; i < 3; ++i) {
      ASSERT_NO_FATAL_FAILURE(RestartAgent("depot"));
    }
    // The one does not last as long as the other takes.
    const Alerts restarts = {{"UplinkdAgentRestarts", "depot", ""}};
    const Alerts refused = {{"UplinkdSpecRefused", "depot", ""}};
    WaitUntilFiring(restarts);
    WaitUntilFiring(refused);
    CheckWords();
    std::ofstream(file) << depot.spec;
    WaitUntilQuiet(refused);
    WaitUntilQuiet(restarts);
  }
};

TEST_F(FleetTest, EveryAlertFiresForItsFaultAndResolves) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  ASSERT_NO_FATAL_FAILURE(BreakAndMendTheNetwork());
  ASSERT_NO_FATAL_FAILURE(BreakAndMendTheAgents());
  ASSERT_NO_FATAL_FAILURE(BreakAndMendTheFile());
  // Also the counted ones, once their window is over.
  EXPECT_TRUE(Eventually([this] { return Firing().empty(); }, kPatience))
      << Words(Firing());
  EXPECT_EQ(fired_, NamesOfAllAlerts());
  // A group's news waits for its interval.
  std::this_thread::sleep_for(seconds(2));
  CheckDashboards();
  // Whoever has to know was told, of the end as well.
  const auto paged = monitoring_->Received("pager");
  const auto told = monitoring_->Received("chat");
  for (const char* status : {"firing", "resolved"}) {
    for (const char* alert :
         {"UplinkdNoUplinkLeft", "UplinkdOutOfSync", "UplinkdAgentGone"}) {
      EXPECT_TRUE(paged.contains({status, alert})) << status << " " << alert;
      EXPECT_FALSE(told.contains({status, alert})) << status << " " << alert;
    }
    for (const char* alert :
         {"UplinkdUplinkDegraded", "UplinkdUplinkSaturated"}) {
      EXPECT_TRUE(told.contains({status, alert})) << status << " " << alert;
      EXPECT_FALSE(paged.contains({status, alert})) << status << " " << alert;
    }
  }
}

}  // namespace
}  // namespace uplinkd::lab
