// From a foreign deletion to the object's return, by the agent as a process.
//
// ip rules and routes are deleted over netlink, and a listener waits for the
// kernel's word of the new one. Chain rules are deleted by the iptables
// program; a watcher asks for the number of entries all the time, so it sees
// the deletion itself, not the end of the program.
#include <linux/fib_rules.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

using std::chrono::milliseconds;

constexpr int kDeletions = 200;
constexpr Nanoseconds kPatience = std::chrono::seconds(5);

// Waits for messages of one multicast group.
class Listener {
 public:
  explicit Listener(std::uint32_t groups)
      : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { close(fd_); }

  // When a message of that type came, or nothing after the patience.
  std::optional<Nanoseconds> Wait(std::uint16_t type) {
    const Nanoseconds deadline = Now() + kPatience;
    std::array<char, 16384> buffer{};
    while (Now() < deadline) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 100) <= 0) continue;
      const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
      const Nanoseconds now = Now();
      if (count < static_cast<ssize_t>(sizeof(nlmsghdr))) continue;
      nlmsghdr header{};
      std::memcpy(&header, buffer.data(), sizeof header);
      if (header.nlmsg_type == type) return now;
    }
    return std::nullopt;
  }

 private:
  int fd_;
};

// Deletes through the ip program's own words; the moment of the kernel's
// notification of the deletion is where the time starts.
std::optional<double> TimeNetlink(const lab::Lab& lab, Listener& listener,
                                  std::vector<std::string> deletion,
                                  std::uint16_t deleted, std::uint16_t added) {
  std::optional<Nanoseconds> start;
  std::optional<Nanoseconds> end;
  std::thread waiter([&] {
    start = listener.Wait(deleted);
    if (start) end = listener.Wait(added);
  });
  const lab::CommandResult result =
      lab::Command(lab.router(), std::move(deletion));
  waiter.join();
  if (!result.Ok()) Complain(result.output);
  if (!start || !end) return std::nullopt;
  return Milliseconds(*end - *start);
}

std::uint32_t CountEntries(int raw) {
  ipt_getinfo info{};
  std::strncpy(info.name, "mangle", sizeof info.name - 1);
  socklen_t size = sizeof info;
  getsockopt(raw, IPPROTO_IP, IPT_SO_GET_INFO, &info, &size);
  return info.num_entries;
}

std::optional<double> TimeChainRule(const lab::Lab& lab, int raw,
                                    std::vector<std::string> deletion) {
  const std::uint32_t whole = CountEntries(raw);
  std::optional<Nanoseconds> start;
  std::optional<Nanoseconds> end;
  std::atomic<bool> over = false;
  const Nanoseconds launched = Now();
  std::thread watcher([&] {
    const Nanoseconds deadline = Now() + kPatience;
    while (Now() < deadline && !end && (start || !over)) {
      const bool complete = CountEntries(raw) == whole;
      if (!complete && !start) start = Now();
      if (complete && start) end = Now();
      // Half of a core is the agent's and iptables' own.
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  const lab::CommandResult result =
      lab::Command(lab.router(), std::move(deletion));
  const bool back = CountEntries(raw) == whole;
  const Nanoseconds ended = Now();
  over = back;
  watcher.join();
  if (!result.Ok()) Complain(result.output);
  // The watcher did not get a processor while the rule was gone: then the whole
  // run of the program is an upper bound.
  if (!start && back) return Milliseconds(ended - launched);
  if (!start || !end) return std::nullopt;
  return Milliseconds(*end - *start);
}

bool Repeat(const std::string& what, double target,
            const std::function<std::optional<double>(int)>& measure) {
  std::vector<double> times;
  for (int i = 0; i < kDeletions; ++i) {
    const std::optional<double> time = measure(i);
    if (!time) return Complain(what + ": not repaired");
    times.push_back(*time);
    // Apart, so that no deletion meets the check of the repair before.
    std::this_thread::sleep_for(milliseconds(60));
  }
  const double p99 = Percentile(times, 0.99);
  PrintRow({.what = "repair of " + what + ", p50 and p99 of " +
                    std::to_string(kDeletions),
            .ours = Number(Median(times), 2, " ms"),
            .floor = "",
            .figure = Number(p99, 2, " ms"),
            .target = "p99 under " + Number(target, 0, " ms"),
            .met = p99 < target});
  return true;
}

}  // namespace

bool MeasureRepairs() {
  const std::unique_ptr<lab::Lab> lab = MakeLab({});
  if (!lab) return false;
  Result<std::unique_ptr<lab::RouterAgent>> agent =
      lab::RouterAgent::Start(*lab, {.log_level = "info"});
  if (!agent) return Complain(agent.error().message);
  const Result<v1::ApplyResponse> applied =
      (*agent)->Apply(lab::LabSpec{.algorithm = "least-loaded"}.Text());
  if (!applied) return Complain(applied.error().message);

  const Inside inside(lab->router());
  Listener rules(RTMGRP_IPV4_RULE);
  Listener routes(RTMGRP_IPV4_ROUTE);
  const int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  const auto either = [](int i, const char* one, const char* two) {
    return std::string(i % 2 == 0 ? one : two);
  };
  const bool worked =
      Repeat("an ip rule", 10,
             [&](int i) {
               return TimeNetlink(*lab, rules,
                                  {"ip", "rule", "del", "priority",
                                   either(i, "20101", "20102")},
                                  RTM_DELRULE, RTM_NEWRULE);
             }) &&
      Repeat("a route", 10,
             [&](int i) {
               return TimeNetlink(*lab, routes,
                                  {"ip", "route", "del", "default", "table",
                                   either(i, "11", "12"), "via",
                                   either(i, "198.18.1.1", "198.18.2.1")},
                                  RTM_DELROUTE, RTM_NEWROUTE);
             }) &&
      Repeat("a chain rule", 50, [&](int i) {
        return TimeChainRule(*lab, raw,
                             {"iptables-legacy", "-t", "mangle", "-D",
                              either(i, "UPL-MARK-1", "UPL-MARK-2"), "1"});
      });
  close(raw);
  return worked;
}

}  // namespace uplinkd::bench
