// Counting live connections per uplink in a conntrack table of 250,000: what a
// count takes, beside `conntrack -L | wc -l`, how exact it is while connections
// come, and what the agent's accounting costs at 5,000 new ones a second.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "reconciler/linux/statistics.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kEntries = 250'000;
constexpr int kNewPerSecond = 5'000;
constexpr std::chrono::seconds kLife{20};  // of one of those
// Beside them. Those that have expired stay in the table for a while, and it
// must not fill up: the kernel would drop others early.
constexpr std::uint64_t kLasting = 100'000;
constexpr std::chrono::seconds kWhile{90};  // longer than from count to count
constexpr int kCounts = 9;
constexpr std::uint32_t kMask = 0xff;

// Datagrams from the client to ever new pairs of ports at the server: each of
// them is a connection of its own.
class Arrivals {
 public:
  explicit Arrivals(const lab::Lab& lab) : lab_(lab) {
    inet_pton(AF_INET, lab::kServerAddress, &server_.sin_addr);
    server_.sin_family = AF_INET;
  }

  void Send(int count) {
    for (int i = 0; i < count; ++i) {
      if (next_port_ == 0) NewSource();
      server_.sin_port = htons(next_port_++);
      sendto(source_.get(), "", 0, MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&server_), sizeof server_);
    }
  }

  // So many a second, until `stop`.
  void Run(int per_second, const std::atomic<bool>& stop) {
    constexpr milliseconds kStep{10};
    for (Nanoseconds next = Now(); !stop; next += kStep) {
      Send(per_second / 100);
      {
        const std::lock_guard lock(mutex_);
        sent_.emplace_back(Now(), (sent_.size() + 1) * (per_second / 100));
      }
      std::this_thread::sleep_for(next + kStep - Now());
    }
  }

  // How many Run() had sent at that time.
  std::uint64_t SentAt(Nanoseconds time) {
    const std::lock_guard lock(mutex_);
    const auto after = std::ranges::upper_bound(
        sent_, time, {}, &std::pair<Nanoseconds, std::uint64_t>::first);
    return after == sent_.begin() ? 0 : std::prev(after)->second;
  }

 private:
  void NewSource() {
    lab_.client().Run([this] {
      source_ = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    });
    next_port_ = 1;
  }

  const lab::Lab& lab_;
  sockaddr_in server_{};
  UniqueFd source_;
  std::uint16_t next_port_ = 0;
  std::mutex mutex_;
  std::vector<std::pair<Nanoseconds, std::uint64_t>> sent_;  // by mutex_
};

bool Run(const lab::Namespace& where, const std::string& script) {
  const lab::CommandResult result = lab::Shell(where, script);
  return result.Ok() || Complain(result.output);
}

bool LetNewOnesLive(const lab::Lab& lab, std::chrono::seconds life) {
  return Run(lab.router(),
             "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=" +
                 std::to_string(life.count()));
}

bool WaitUntilTheyAreGone() {
  std::this_thread::sleep_for(kLife + std::chrono::seconds(1));
  return true;
}

std::uint64_t Sum(const ConnectionCounts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [mark, count] : counts) sum += count.all;
  return sum;
}

std::optional<std::uint64_t> CountAll(Statistics& statistics) {
  const Result<ConnectionCounts> counts = statistics.CountConnections(kMask);
  if (!counts) {
    Complain(counts.error().message);
    return std::nullopt;
  }
  return Sum(*counts);
}

// By send and see: a link drops what comes too fast.
bool FillUpTo(std::uint64_t entries, Statistics& statistics,
              Arrivals& arrivals) {
  for (int i = 0; i < 20; ++i) {
    const std::optional<std::uint64_t> counted = CountAll(statistics);
    if (!counted) return false;
    if (*counted >= entries) return true;
    arrivals.Send(static_cast<int>(entries - *counted));
    std::this_thread::sleep_for(milliseconds(100));
  }
  return Complain("the conntrack table does not fill");
}

// By how much a count misses what there was while it was made, in percent:
// `lasting` ones and those that came within their life before.
std::optional<double> Miss(std::uint64_t lasting, Statistics& statistics,
                           Arrivals& arrivals) {
  const Nanoseconds began = Now();
  const std::optional<std::uint64_t> counted = CountAll(statistics);
  const Nanoseconds ended = Now();
  if (!counted) return std::nullopt;
  const std::uint64_t least =
      lasting + arrivals.SentAt(began) - arrivals.SentAt(ended - kLife);
  const std::uint64_t most =
      lasting + arrivals.SentAt(ended) - arrivals.SentAt(began - kLife);
  const std::uint64_t miss = *counted < least  ? least - *counted
                             : *counted > most ? *counted - most
                                               : 0;
  return 100 * static_cast<double>(miss) / static_cast<double>(most);
}

bool MeasureWhileTheyCome(pid_t agent, Statistics& statistics,
                          Arrivals& arrivals) {
  const std::optional<std::uint64_t> lasting = CountAll(statistics);
  if (!lasting) return false;
  std::atomic<bool> stop = false;
  std::jthread thread([&] { arrivals.Run(kNewPerSecond, stop); });
  const double before = ProcessorTime(agent);
  const Nanoseconds began = Now();
  std::vector<double> misses;
  for (int i = 1; i <= kCounts; ++i) {
    std::this_thread::sleep_for(began + i * kWhile / kCounts - Now());
    const std::optional<double> miss = Miss(*lasting, statistics, arrivals);
    if (miss) misses.push_back(*miss);
  }
  const double percent = 100 * (ProcessorTime(agent) - before) /
                         static_cast<double>((Now() - began).count());
  stop = true;
  if (misses.size() != kCounts) return false;
  PrintRow({.what = "processor time of the agent, 5,000 new/s",
            .ours = Number(percent, 2, " %"),
            .floor = "",
            .figure = Number(percent, 2, " %"),
            .target = "under 1 %",
            .met = percent < 1});
  const double worst = std::ranges::max(misses);
  PrintRow({.what = "what a count misses while they come and go, at most",
            .ours = Number(worst, 3, " %"),
            .floor = "",
            .figure = Number(worst, 3, " %"),
            .target = "at most 1 %",
            .met = worst <= 1});
  return true;
}

bool MeasureCount(const lab::Lab& lab, Statistics& statistics) {
  std::vector<double> ours;
  std::vector<double> theirs;
  std::uint64_t all = 0;
  for (int i = 0; i < kCounts; ++i) {
    const Nanoseconds began = Now();
    const std::optional<std::uint64_t> counted = CountAll(statistics);
    const Nanoseconds middle = Now();
    const lab::CommandResult listed =
        lab::Shell(lab.router(), "conntrack -L 2>/dev/null | wc -l");
    theirs.push_back(Milliseconds(Now() - middle));
    ours.push_back(Milliseconds(middle - began));
    all = std::stoull("0" + listed.output);
    if (counted != all) {
      return Complain("counted " + std::to_string(counted.value_or(0)) +
                      " of " + std::to_string(all) + " connections");
    }
  }
  const double ratio = Median(ours) / Median(theirs);
  PrintRow({.what = "count of " + std::to_string(all) +
                    " connections by mark, median",
            .ours = Number(Median(ours), 0, " ms"),
            .floor = Number(Median(theirs), 0, " ms"),
            .figure = Number(ratio, 2, "x"),
            .target = "at most 1x",
            .met = ratio <= 1});
  return true;
}

}  // namespace

bool MeasureCounting() {
  const std::unique_ptr<lab::Lab> lab = MakeLab({});
  if (!lab) return false;
  Result<std::unique_ptr<lab::RouterAgent>> agent =
      lab::RouterAgent::Start(*lab, {.log_level = "info"});
  if (!agent) return Complain(agent.error().message);
  const auto applied = (*agent)->Apply(lab::LabSpec{}.Text());
  if (!applied) return Complain(applied.error().message);
  const Inside inside(lab->router());
  const Result<std::unique_ptr<Statistics>> statistics = Statistics::Open();
  if (!statistics) return Complain(statistics.error().message);
  Arrivals arrivals(*lab);
  return Run(lab->server(),  // no answers
             "iptables-legacy -t raw -A PREROUTING -p udp -j DROP") &&
         LetNewOnesLive(*lab, std::chrono::hours(1)) &&
         FillUpTo(kLasting, **statistics, arrivals) &&
         LetNewOnesLive(*lab, kLife) &&
         MeasureWhileTheyCome((*agent)->process().pid(), **statistics,
                              arrivals) &&
         WaitUntilTheyAreGone() &&
         LetNewOnesLive(*lab, std::chrono::hours(1)) &&
         FillUpTo(kEntries, **statistics, arrivals) &&
         MeasureCount(*lab, **statistics);
}

}  // namespace uplinkd::bench
