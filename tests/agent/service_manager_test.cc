// uplinkd under a service manager: what it says to it, and what it may do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/options.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/agent/temporary_directory.h"
#include "tests/lab/process.h"

namespace uplinkd {
namespace {

using lab::Namespace;
using lab::Process;
using lab::ProcessOptions;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryDirectory;

constexpr std::chrono::seconds kStartPatience{20};

// 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW, as /proc/PID/status prints it.
constexpr const char* kNeededOnly = "0000000000003000";

// A service manager's end of NOTIFY_SOCKET.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              0);
  }

  // The next message; "" when the patience is over.
  std::string Next(std::chrono::milliseconds patience = kStartPatience) const {
    const timeval wait{patience.count() / 1000, patience.count() % 1000 * 1000};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    std::array<char, 512> message;
    const ssize_t size = recv(fd_.get(), message.data(), message.size(), 0);
    return size > 0
               ? std::string(message.data(), static_cast<std::size_t>(size))
               : "";
  }

  // All messages up to the first that holds `words`; it is the last.
  std::vector<std::string> Until(const std::string& words) const {
    std::vector<std::string> messages;
    do {
      messages.push_back(Next());
    } while (!messages.back().empty() &&
             messages.back().find(words) == std::string::npos);
    return messages;
  }

 private:
  UniqueFd fd_;
};

class ServiceManager : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Result<Namespace> made = Namespace::Create();
    ASSERT_TRUE(made) << made.error().message;
    namespace_.emplace(std::move(*made));
  }

  Process Start(const std::map<std::string, std::string>& environment,
                const std::vector<std::string>& more = {}) {
    ProcessOptions options;
    options.arguments = {UPLINKD_PROGRAM,
                         "--listen",
                         "unix:" + (directory_ / "sock"),
                         "--metrics-listen",
                         "",
                         "--state-dir",
                         directory_ / "state",
                         "--iproute2-dir",
                         directory_ / "iproute2",
                         "--hooks-dir",
                         directory_ / "hooks"};
    options.arguments.insert(options.arguments.end(), more.begin(), more.end());
    options.environment = environment;
    options.environment["NOTIFY_SOCKET"] = directory_ / "notify";
    options.environment["XTABLES_LOCKFILE"] = directory_ / "xtables.lock";
    options.output_file = directory_ / "log";
    return Process::Start(*namespace_, std::move(options)).value();
  }

  // The value of a line of /proc/PID/task/*/status, once per thread.
  static std::vector<std::string> OfEachThread(pid_t pid,
                                               const std::string& key) {
    std::vector<std::string> values;
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);) {
        if (!line.starts_with(key + ":\t")) continue;
        values.push_back(line.substr(key.size() + 2));
      }
    }
    return values;
  }

  TemporaryDirectory directory_;
  std::optional<Namespace> namespace_;
};

constexpr const char* kSmallSpec = R"(
apiVersion: uplinkd/v1
kind: Router
metadata: {name: office}
spec:
  uplinks:
    - {name: wan1, interface: wan1}
  balance: {algorithm: round-robin}
)";

TEST_F(ServiceManager, IsToldOfReadinessOnceTheKernelHoldsTheSpec) {
  const NotifySocket manager(directory_ / "notify");
  directory_.Write("router.yaml", kSmallSpec);
  // As another program does for that long, so that no pass can write.
  UniqueFd lock(open((directory_ / "xtables.lock").c_str(),
                     O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  Process agent = Start({}, {"--spec", directory_ / "router.yaml"});
  EXPECT_THAT(manager.Next(), HasSubstr("STATUS="));
  EXPECT_EQ(manager.Next(std::chrono::milliseconds(1500)), "");
  lock = UniqueFd();
  EXPECT_THAT(manager.Next(), HasSubstr("READY=1"));
  agent.Signal(SIGTERM);
  EXPECT_THAT(manager.Next(), HasSubstr("STOPPING=1"));
  EXPECT_EQ(agent.Wait(kStartPatience), kExitOk);
}

TEST_F(ServiceManager, HearsFromTheEngineUntilThatIsStuck) {
  const NotifySocket manager(directory_ / "notify");
  Process agent = Start({{"WATCHDOG_USEC", "100000"}});
  EXPECT_THAT(manager.Until("READY=1"), Contains(HasSubstr("READY=1")));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.Next(), "WATCHDOG=1");
  agent.Signal(SIGSTOP);
  while (!manager.Next(std::chrono::milliseconds(300)).empty()) {
  }
  agent.Signal(SIGCONT);
  EXPECT_EQ(manager.Next(), "WATCHDOG=1");
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(kStartPatience), kExitOk);
}

TEST_F(ServiceManager, GetsNoSignOfLifeThatItDoesNotAskFor) {
  const NotifySocket manager(directory_ / "notify");
  Process agent = Start({});
  EXPECT_THAT(manager.Until("READY=1"), Each(Not(HasSubstr("WATCHDOG"))));
  EXPECT_EQ(manager.Next(std::chrono::milliseconds(300)), "");
}

TEST_F(ServiceManager, StartedByRootTheAgentKeepsTwoCapabilities) {
  const NotifySocket manager(directory_ / "notify");
  // What a hook may do is what the agent may do.
  directory_.Write("hooks/note",
                   "#!/bin/sh\ngrep -E '^(Cap|NoNew)' /proc/self/status >" +
                       (directory_ / "note.new") + "\nmv " +
                       (directory_ / "note.new") + " " + (directory_ / "note"));
  std::filesystem::permissions(directory_ / "hooks/note",
                               std::filesystem::perms::owner_all);
  directory_.Write("router.yaml", kSmallSpec);
  Process agent = Start({}, {"--spec", directory_ / "router.yaml"});
  ASSERT_THAT(manager.Until("READY=1"), Contains(HasSubstr("READY=1")))
      << directory_.Read("log");
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
    EXPECT_THAT(OfEachThread(agent.pid(), set),
                AllOf(Not(::testing::IsEmpty()), Each(kNeededOnly)))
        << set;
  }
  EXPECT_THAT(OfEachThread(agent.pid(), "NoNewPrivs"), Each("1"));
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  while (!directory_.Has("note") &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_THAT(directory_.Read("note"),
              AllOf(HasSubstr(std::string("CapEff:\t") + kNeededOnly),
                    HasSubstr(std::string("CapBnd:\t") + kNeededOnly),
                    HasSubstr("NoNewPrivs:\t1")));
}

}  // namespace
}  // namespace uplinkd
