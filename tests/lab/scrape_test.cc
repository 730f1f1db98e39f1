// The exporter in bad company: scrapers that are slow, and a kernel that does
// not answer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/linux/xtables_lock.h"
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

// Clients of one server that want to be answered and never finish asking. One
// that is sent away comes back.
class SlowScrapers {
 public:
  enum class Manner {
    kStall,  // half of them say nothing, half of them part of a request
    kDrip,   // each goes on with its request a little before it is given up
  };

  SlowScrapers(const Namespace& where, int count, Manner manner)
      : sockets_(static_cast<std::size_t>(count)),
        manner_(manner),
        thread_([this, &where] { where.Run([this] { Besiege(); }); }) {}
  SlowScrapers(const SlowScrapers&) = delete;
  SlowScrapers& operator=(const SlowScrapers&) = delete;
  ~SlowScrapers() {
    stop_ = true;
    thread_.join();
  }

  // How many the kernel has connected now.
  int connected() const { return connected_; }
  int sent_away() const { return sent_away_; }

 private:
  void Besiege() {
    while (!stop_) {
      int connected = 0;
      for (std::size_t i = 0; i < sockets_.size(); ++i) {
        connected += Keep(sockets_[i], i % 2 == 0) ? 1 : 0;
      }
      connected_ = connected;
      std::this_thread::sleep_for(milliseconds(20));
    }
    sockets_.clear();
  }

  // True if it is connected.
  bool Keep(UniqueFd& fd, bool even) {
    if (!fd) {
      fd = Connect();
      return false;
    }
    pollfd ready{fd.get(), POLLIN | POLLOUT, 0};
    if (poll(&ready, 1, 0) <= 0) return false;  // not yet
    if ((ready.revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
      ++sent_away_;
      fd = UniqueFd();
      return false;
    }
    Speak(fd.get(), even);
    return true;
  }

  void Speak(int fd, bool even) {
    const auto now = steady_clock::now();
    const auto spoke = spoke_.find(fd);
    std::string_view part;
    if (spoke == spoke_.end()) {
      part = manner_ == Manner::kDrip ? "GET /metrics HTTP/1.1\r\n"
             : even                   ? "GET /m"
                                      : "";
    } else if (manner_ == Manner::kDrip &&
               now - spoke->second > milliseconds(300)) {
      part = "a: b\r\n";
    }
    if (part.empty()) return;
    spoke_[fd] = now;
    static_cast<void>(
        send(fd, part.data(), part.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }

  UniqueFd Connect() {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    spoke_.erase(fd.get());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9871);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    static_cast<void>(connect(fd.get(),
                              reinterpret_cast<const sockaddr*>(&address),
                              sizeof(address)));
    return fd;
  }

  std::vector<UniqueFd> sockets_;
  const Manner manner_;
  std::map<int, steady_clock::time_point> spoke_;  // by socket: the last time
  std::atomic<bool> stop_ = false;
  std::atomic<int> connected_ = 0;
  std::atomic<int> sent_away_ = 0;
  std::thread thread_;  // last: it uses the others
};

// This process has the scrapers' ends.
void AllowDescriptors(rlim_t count) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::max(limit.rlim_cur, count);
  limit.rlim_max = std::max(limit.rlim_max, count);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// 0 if it is not there.
double ValueOf(const std::string& metric, const std::string& text) {
  const std::size_t at = text.find("\n" + metric + " ");
  return at == std::string::npos
             ? 0
             : std::stod(text.substr(at + metric.size() + 2));
}

class Scrape : public AgentLab {
 protected:
  // How long it takes until a rule of ours is back that somebody removed.
  milliseconds RepairTime() {
    const auto began = steady_clock::now();
    EXPECT_TRUE(OnRouter("ip rule del priority 20101").Ok());
    EXPECT_TRUE(Eventually(
        [this] {
          return OnRouter("ip rule show").output.find("20101:") !=
                 std::string::npos;
        },
        seconds(10)));
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() -
                                                    began);
  }

  std::size_t Descriptors() {
    const std::filesystem::path path =
        "/proc/" + std::to_string(agent_->process().pid()) + "/fd";
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path), {}));
  }
};

TEST_F(Scrape, AThousandSlowScrapersDelayNoPass) {
  ASSERT_NO_FATAL_FAILURE(AllowDescriptors(4096));
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const std::size_t descriptors = Descriptors();
  milliseconds alone{0};
  for (int i = 0; i < 5; ++i) alone = std::max(alone, RepairTime());

  const SlowScrapers scrapers(lab_->router(), 1000,
                              SlowScrapers::Manner::kStall);
  ASSERT_TRUE(
      Eventually([&] { return scrapers.connected() > 900; }, seconds(10)))
      << scrapers.connected();
  milliseconds besieged{0};
  for (int i = 0; i < 10; ++i) besieged = std::max(besieged, RepairTime());
  EXPECT_LT(besieged, alone + milliseconds(500));
  EXPECT_LT(Descriptors(), descriptors + 100);
  // Whoever asks properly waits for his turn, and no longer than Prometheus
  // does by default.
  const auto began = steady_clock::now();
  const CommandResult scrape = Command(
      lab_->router(),
      {"curl", "-sS", "--max-time", "10", "http://127.0.0.1:9871/metrics"});
  EXPECT_THAT(scrape.output, HasSubstr("uplinkd_in_sync 1"));
  EXPECT_GT(scrapers.sent_away(), 0);
  RecordProperty("repair_alone_ms", std::to_string(alone.count()));
  RecordProperty("repair_besieged_ms", std::to_string(besieged.count()));
  RecordProperty(
      "scrape_besieged_ms",
      std::to_string((steady_clock::now() - began) / milliseconds(1)));
}

// More of them than the agent has places. They hold none for long, not even
// when it ends.
TEST_F(Scrape, IsAnsweredBesideScrapersThatDripTheirRequests) {
  ASSERT_NO_FATAL_FAILURE(AllowDescriptors(4096));
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  for (const int count : {70, 1000}) {
    const SlowScrapers scrapers(lab_->router(), count,
                                SlowScrapers::Manner::kDrip);
    ASSERT_TRUE(Eventually(
        [&] { return scrapers.connected() > count * 9 / 10; }, seconds(10)))
        << scrapers.connected();
    milliseconds slowest{0};
    for (int i = 0; i < 5; ++i) {
      const auto began = steady_clock::now();
      EXPECT_THAT(agent_->Metrics(), HasSubstr("uplinkd_in_sync 1")) << count;
      slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(
                                      steady_clock::now() - began));
    }
    EXPECT_LT(slowest, seconds(5)) << count;
    RecordProperty("slowest_scrape_ms_" + std::to_string(count),
                   std::to_string(slowest.count()));
  }
  const SlowScrapers scrapers(lab_->router(), 70, SlowScrapers::Manner::kDrip);
  ASSERT_TRUE(
      Eventually([&] { return scrapers.connected() > 60; }, seconds(10)));
  const auto began = steady_clock::now();
  ASSERT_NO_FATAL_FAILURE(StopAgent());
  EXPECT_LT(steady_clock::now() - began, seconds(10));
}

TEST_F(Scrape, IsAnsweredAtOnceWhileTheAgentWaitsForTheKernel) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  constexpr char kTaken[] = "uplinkd_snapshot_timestamp_seconds";
  // Somebody sits on the lock: an edit waits for it, and everything else of
  // the agent's that needs the kernel.
  XtablesLock lock;
  std::optional<XtablesLock::Held> held;
  if (auto got = lock.Acquire(seconds(5))) held.emplace(std::move(*got));
  ASSERT_TRUE(held);
  ASSERT_TRUE(OnRouter("XTABLES_LOCKFILE=/dev/null iptables-legacy -t mangle "
                       "-F UPL-FATE")
                  .Ok());
  ASSERT_TRUE(Eventually(
      [&] {
        const std::string before = agent_->Metrics();
        std::this_thread::sleep_for(milliseconds(1200));
        return ValueOf(kTaken, before) == ValueOf(kTaken, agent_->Metrics());
      },
      seconds(5)));
  double taken = 0;
  milliseconds slowest{0};
  for (int i = 0; i < 10; ++i) {
    const auto began = steady_clock::now();
    const std::string text = agent_->Metrics();
    slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(
                                    steady_clock::now() - began));
    taken = ValueOf(kTaken, text);
    EXPECT_THAT(text, HasSubstr("uplinkd_uplink_up{uplink=\"wan1\"} 1"));
  }
  EXPECT_LT(slowest, milliseconds(1000));
  const double age = std::chrono::duration<double>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count() -
                     taken;
  EXPECT_GT(age, 1.2);
  EXPECT_LT(age, 60);

  held.reset();
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
  EXPECT_TRUE(Eventually(
      [&] { return ValueOf(kTaken, agent_->Metrics()) > taken; }, seconds(5)));
  RecordProperty("slowest_scrape_ms", std::to_string(slowest.count()));
}

}  // namespace
}  // namespace uplinkd::lab
