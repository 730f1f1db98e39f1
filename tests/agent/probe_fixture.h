// Probes against real listeners in namespaces.
//
//   router                          provider
//   wan1 198.51.100.2/24 ---------- 198.51.100.1/24   192.0.2.1 on lo
//        2001:db8:1::2/64           2001:db8:1::1/64  2001:db8:cafe::1 on lo
//   wan2 203.0.113.2/24  ---------- 203.0.113.1/24
//
// The router's default routes are by wan1. 192.0.2.66 is a black hole behind
// the provider.
#ifndef UPLINKD_TESTS_AGENT_PROBE_FIXTURE_H_
#define UPLINKD_TESTS_AGENT_PROBE_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/probe.h"
#include "tests/core/builders.h"
#include "tests/lab/process.h"
#include "tests/lab/stub_server.h"

namespace uplinkd {

using namespace std::chrono_literals;

inline constexpr std::chrono::milliseconds kLong = 5000ms;
inline constexpr std::chrono::milliseconds kShort = 200ms;
inline constexpr std::uint32_t kMark = 0xff;

class ProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<lab::Namespace> router = lab::Namespace::Create();
    ASSERT_TRUE(router) << router.error().message;
    router_.emplace(std::move(*router));
    Result<lab::Namespace> provider = lab::Namespace::Create();
    ASSERT_TRUE(provider) << provider.error().message;
    provider_.emplace(std::move(*provider));
    On(*router_,
       "sysctl -qw net.ipv4.conf.all.rp_filter=2\n"
       "ip link add wan1 type veth peer name cust1 netns " +
           provider_->Path() +
           "\nip link add wan2 type veth peer name cust2 netns " +
           provider_->Path() +
           "\nip addr add 198.51.100.2/24 dev wan1\n"
           "ip addr add 203.0.113.2/24 dev wan2\n"
           "ip link set wan1 up\nip link set wan2 up\n"
           "ip addr add 2001:db8:1::2/64 dev wan1 nodad\n"
           "ip -6 route add default via 2001:db8:1::1 dev wan1\n"
           "ip route add default via 198.51.100.1 dev wan1\n"
           "ip route add default via 203.0.113.1 dev wan2 table 12\n"
           "ip rule add from 203.0.113.2 lookup 12\n");
    On(*provider_,
       "sysctl -qw net.ipv4.conf.all.rp_filter=0 "
       "net.ipv4.conf.default.rp_filter=0\n"
       "ip addr add 198.51.100.1/24 dev cust1\n"
       "ip addr add 203.0.113.1/24 dev cust2\n"
       "ip addr add 192.0.2.1/32 dev lo\n"
       "ip link set cust1 up\nip link set cust2 up\nip link set lo up\n"
       "ip addr add 2001:db8:1::1/64 dev cust1 nodad\n"
       "ip addr add 2001:db8:cafe::1/128 dev lo nodad\n"
       "ip route add blackhole 192.0.2.66\n"
       "sysctl -qw net.ipv4.ip_forward=1\n");
  }

  static void On(const lab::Namespace& where, const std::string& script) {
    const lab::CommandResult result = lab::Shell(where, script);
    ASSERT_TRUE(result.Ok()) << result.output;
  }

  static ProbePath Wan1() {
    return {"wan1", 0, testing::Ip("198.51.100.2"), testing::Ip("198.51.100.1"),
            kMark};
  }
  static ProbePath Wan2() {
    return {"wan2", 0, testing::Ip("203.0.113.2"), testing::Ip("203.0.113.1"),
            kMark};
  }

  // The number of a link of the router.
  int IndexOf(const std::string& link) const {
    unsigned index = 0;
    router_->Run([&] { index = if_nametoindex(link.c_str()); });
    return static_cast<int>(index);
  }

  // Runs one probe to its end.
  ProbeResult Ask(const Probe& probe, std::chrono::milliseconds timeout = kLong,
                  const ProbePath& path = Wan1()) const {
    ProbeResult result = {false, {}, "it never ended"};
    router_->Run([&] {
      asio::io_context context{1};
      const std::unique_ptr<ProbeRun> run =
          StartProbe(context, {probe, path, timeout},
                     [&](ProbeResult ended) { result = std::move(ended); });
      context.run();
    });
    return result;
  }

  // A server on 192.0.2.1, or another address, for the time of the test.
  void Serve(lab::Transport transport, std::uint16_t port,
             lab::StubServer::Answer answer,
             const std::string& address = "192.0.2.1") {
    auto server = lab::StubServer::Start(
        *provider_,
        {.destination = address, .port = port, .transport = transport},
        std::move(answer));
    ASSERT_TRUE(server) << server.error().message;
    servers_.push_back(std::move(*server));
  }

  std::optional<lab::Namespace> router_;
  std::optional<lab::Namespace> provider_;
  std::vector<std::unique_ptr<lab::StubServer>> servers_;
};

#define EXPECT_ANSWERED(result)             \
  do {                                      \
    const ProbeResult got = (result);       \
    EXPECT_TRUE(got.answered) << got.fault; \
    EXPECT_GT(got.latency, 0ns);            \
    EXPECT_LT(got.latency, kLong);          \
  } while (false)

#define EXPECT_FAULT(result, words)   \
  do {                                \
    const ProbeResult got = (result); \
    EXPECT_FALSE(got.answered);       \
    EXPECT_THAT(got.fault, (words));  \
  } while (false)

inline constexpr char kSilent[] = "no answer within 200ms";

inline std::string HttpAnswer(const std::string& status,
                              const std::string& body) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_AGENT_PROBE_FIXTURE_H_
