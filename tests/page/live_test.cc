// The live page in Chromium, at a client of the router, while real traffic
// flows. What the browser does and finds is in page_test.mjs.
#include <fstream>
#include <iostream>
#include <optional>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Where the router's LAN sees it.
constexpr char kListen[] = "192.168.10.1:9871";

class LivePage : public AgentLab {
 protected:
  // A browser drops its requests when an address appears or changes, as those
  // of IPv6 do a second or two after their link is up.
  void WaitForSettledAddresses() {
    EXPECT_TRUE(Eventually(
        [this] {
          const std::string addresses =
              Command(lab_->client(), {"ip", "-6", "address", "show", "eth0"})
                  .output;
          return addresses.find("fe80::") != std::string::npos &&
                 addresses.find("tentative") == std::string::npos;
        },
        seconds(10)));
  }
};

TEST_F(LivePage, ShowsInABrowserWhatHappens) {
  const auto began = steady_clock::now();
  LabSpec spec;
  spec.algorithm = "round-robin";
  spec.capacities = {20, 10};
  spec.revision = "2026-07";
  spec.health =
      "{probes: [{icmp: 203.0.113.10}, {arp: gateway}], interval: 500ms, "
      "timeout: 400ms, down: 2, up: 2}";
  ASSERT_NO_FATAL_FAILURE(BuildLab({.lines = {{20, 20}, {10, 10}}}));
  ASSERT_NO_FATAL_FAILURE(StartAgent({.metrics_address = kListen}));
  ASSERT_NO_FATAL_FAILURE(Apply(spec));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(Connect(12, 1, &connections, &answers));
  ASSERT_NO_FATAL_FAILURE(WaitForSettledAddresses());
  const std::string log = lab_->directory() / "browser.log";
  Result<Process> browser = Process::Start(
      lab_->client(),
      {.arguments = {NODE_PROGRAM,
                     std::string(PAGE_TEST_DIRECTORY) + "/page_test.mjs",
                     "http://" + std::string(kListen) + "/",
                     std::to_string(agent_->process().pid()),
                     lab_->router().Path()},
       .output_file = log});
  ASSERT_TRUE(browser) << browser.error().message;
  while (browser->Running() && steady_clock::now() - began < seconds(90)) {
    std::optional<Downloads> downloads;
    downloads.emplace(lab_->client(), Endpoint{.port = kSourcePort}, 2);
    std::this_thread::sleep_for(milliseconds(1200));
    downloads.reset();  // the rate of a line that is always full does not move
    std::this_thread::sleep_for(milliseconds(600));
  }
  EXPECT_EQ(browser->Wait(seconds(0)), 0);
  std::ifstream words(log);
  std::cout << words.rdbuf();
  RecordProperty("took_ms", std::to_string((steady_clock::now() - began) /
                                           milliseconds(1)));
}

}  // namespace
}  // namespace uplinkd::lab
