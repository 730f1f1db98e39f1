// uplinkd as a process, in network namespaces of its own.
#include "tests/lab/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "agent/options.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

using lab::Namespace;
using lab::Process;
using lab::ProcessOptions;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryDirectory;

constexpr std::chrono::seconds kPatience{60};

constexpr const char* kProcessSpec = R"(
apiVersion: uplinkd/v1
kind: Router
metadata: {name: office}
spec:
  lans:
    - {interface: lan0, networks: [192.168.10.0/24]}
  uplinks:
    - {name: wan1, interface: wan1, capacity: {download: 40mbit, upload: 10mbit}}
    - {name: wan2, interface: wan2, capacity: {download: 10mbit, upload: 4mbit}}
)";

class AgentProcess : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Result<Namespace> made = Namespace::Create();
    ASSERT_TRUE(made) << made.error().message;
    namespace_.emplace(std::move(*made));
  }

  // An agent called `name` in the namespace.
  Process Start(const std::string& name,
                const std::vector<std::string>& more = {},
                const std::string& metrics_listen = "") {
    ProcessOptions options;
    options.arguments = {UPLINKD_PROGRAM,
                         "--listen",
                         "unix:" + (directory_ / (name + ".sock")),
                         "--metrics-listen",
                         metrics_listen,
                         "--state-dir",
                         directory_ / (name + ".state"),
                         "--iproute2-dir",
                         directory_ / "iproute2",
                         "--hooks-dir",
                         ""};
    options.arguments.insert(options.arguments.end(), more.begin(), more.end());
    options.environment["XTABLES_LOCKFILE"] = directory_ / "xtables.lock";
    options.output_file = directory_ / (name + ".log");
    return Process::Start(*namespace_, std::move(options)).value();
  }
  // Waits until the agent's log says so; false if it never does.
  bool Says(const std::string& name, const std::string& words) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (Log(name).find(words) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  std::string Log(const std::string& name) {
    return directory_.Read(name + ".log");
  }

  TemporaryDirectory directory_;
  std::optional<Namespace> namespace_;
};

TEST_F(AgentProcess, EndsWellAndSoonOnSigtermAndSigint) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const std::string name = "a" + std::to_string(signal);
    Process agent = Start(name);
    ASSERT_TRUE(Says(name, "serves on")) << Log(name);
    const auto began = std::chrono::steady_clock::now();
    agent.Signal(signal);
    EXPECT_EQ(agent.Wait(kPatience), kExitOk) << Log(name);
    EXPECT_LT(std::chrono::steady_clock::now() - began,
              std::chrono::seconds(2));
    EXPECT_FALSE(directory_.Has(name + ".sock"));
  }
}

TEST_F(AgentProcess, ASecondAgentInTheNamespaceRefusesAndNamesTheFirst) {
  Process first = Start("first");
  ASSERT_TRUE(Says("first", "serves on")) << Log("first");
  Process second = Start("second");
  EXPECT_EQ(second.Wait(kPatience), kExitCannotRun);
  EXPECT_THAT(Log("second"), HasSubstr("another uplinkd"));
  EXPECT_THAT(Log("second"), HasSubstr(std::to_string(first.pid())));
  EXPECT_TRUE(first.Running());
  // After a crash of the first there is nothing to clear away.
  first.Signal(SIGKILL);
  first.Wait(kPatience);
  Process third = Start("third");
  EXPECT_TRUE(Says("third", "serves on")) << Log("third");
}

TEST_F(AgentProcess, RefusesAMetricsAddressThatAnotherProgramHas) {
  UniqueFd other;
  namespace_->Run([&other] {
    other = UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9871);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(other.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              0);
    ASSERT_EQ(listen(other.get(), 1), 0);
  });
  directory_.Write("router.yaml", kProcessSpec);
  Process agent =
      Start("a", {"--spec", directory_ / "router.yaml"}, "127.0.0.1:9871");
  EXPECT_EQ(agent.Wait(kPatience), kExitCannotRun);
  EXPECT_THAT(Log("a"),
              HasSubstr("cannot serve metrics on 127.0.0.1:9871: another "
                        "program listens there; see --metrics-listen"));
  // It has taken up nothing.
  EXPECT_FALSE(directory_.Has("a.state/spec.json"));
  EXPECT_FALSE(directory_.Has("a.sock"));
}

TEST_F(AgentProcess, AgentsInTwoNamespacesDoNotMind) {
  Process first = Start("first");
  ASSERT_TRUE(Says("first", "serves on")) << Log("first");
  namespace_ = Namespace::Create().value();
  Process second = Start("second");
  EXPECT_TRUE(Says("second", "serves on")) << Log("second");
  EXPECT_TRUE(first.Running());
}

TEST_F(AgentProcess, RefusesABadSpecFileWithEveryFault) {
  directory_.Write("bad.yaml",
                   "apiVersion: uplinkd/v1\nkind: Router\nspec:\n"
                   "  uplinks:\n    - {name: a, interfaze: wan1}\n"
                   "  balance: {algorithm: fastest}\n");
  Process agent = Start("a", {"--spec", directory_ / "bad.yaml"});
  EXPECT_EQ(agent.Wait(kPatience), kExitBadInput);
  EXPECT_THAT(Log("a"), HasSubstr("bad.yaml:5:"));
  EXPECT_THAT(Log("a"), HasSubstr("interfaze"));
  EXPECT_THAT(Log("a"), HasSubstr("bad.yaml:6:"));
  EXPECT_FALSE(directory_.Has("a.state/spec.json"));
}

// A broken commit must not cost a router its uplinks at the next reboot.
TEST_F(AgentProcess, StartsWithTheLastGoodSpecIfTheFileIsBad) {
  directory_.Write("router.yaml", kProcessSpec);
  Process first = Start("a", {"--spec", directory_ / "router.yaml"});
  ASSERT_TRUE(Says("a", "serves on")) << Log("a");
  first.Signal(SIGTERM);
  EXPECT_EQ(first.Wait(kPatience), kExitOk);
  directory_.Write("router.yaml", "kind: Nonsense\n");
  Process second = Start("a", {"--spec", directory_ / "router.yaml"});
  ASSERT_TRUE(Says("a", "following the stored spec \"office\"")) << Log("a");
  EXPECT_TRUE(Says("a", "the last good spec is kept")) << Log("a");
  EXPECT_TRUE(second.Running());
}

TEST_F(AgentProcess, FollowsItsFileAndKeepsTheLastGoodSpec) {
  directory_.Write("router.yaml", kProcessSpec);
  Process agent = Start("a", {"--spec", directory_ / "router.yaml"});
  ASSERT_TRUE(Says("a", "serves on")) << Log("a");
  directory_.Write("router.yaml", "kind: Nonsense\n");
  ASSERT_TRUE(Says("a", "the last good spec is kept")) << Log("a");
  agent.Signal(SIGHUP);
  EXPECT_TRUE(agent.Running());
  std::string next = kProcessSpec;
  next.replace(next.find("office"), 6, "branch");
  directory_.Write("router.yaml", next);
  EXPECT_TRUE(Says("a", "accepted the spec \"branch\" as generation 2"))
      << Log("a");
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(kPatience), kExitOk);
  EXPECT_THAT(directory_.Read("a.state/spec.json"), HasSubstr("branch"));
}

TEST_F(AgentProcess, ReportsInJsonIfAsked) {
  Process agent = Start("a", {"--log-format", "json"});
  ASSERT_TRUE(Says("a", "serves on")) << Log("a");
  EXPECT_THAT(Log("a"), HasSubstr("\"level\":\"info\",\"message\":\"uplinkd "));
}

}  // namespace
}  // namespace uplinkd
