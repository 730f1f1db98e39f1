// AgentLab: the test fixture of the end-to-end suites: a lab, a server and the
// agent in the router.
//
// Set-up functions report a failure like an assertion: call them inside
// ASSERT_NO_FATAL_FAILURE. Header-only, since it is the tests' business alone.
#ifndef UPLINKD_TESTS_LAB_AGENT_LAB_H_
#define UPLINKD_TESTS_LAB_AGENT_LAB_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/lab/foreign.h"
#include "tests/lab/lab.h"
#include "tests/lab/router_agent.h"
#include "tests/lab/traffic_client.h"
#include "tests/lab/traffic_server.h"

namespace uplinkd::lab {

// Looks again and again until `holds`; false when the patience is over.
inline bool Eventually(const std::function<bool()>& holds,
                       std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class AgentLab : public testing::Test {
 protected:
  // For what takes a moment on an idle machine.
  static constexpr std::chrono::seconds kPatience{10};

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  void BuildLab(const LabOptions& options = {}) {
    Result<std::unique_ptr<Lab>> lab = Lab::Create(options);
    ASSERT_TRUE(lab) << lab.error().message;
    lab_ = std::move(*lab);
    Result<std::unique_ptr<TrafficServer>> server =
        TrafficServer::Start(lab_->server());
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  void AddForeign() {
    std::string error;
    ASSERT_TRUE(AddForeignObjects(lab_->router(), &error)) << error;
  }

  void StartAgent(const RouterAgentOptions& options = {}) {
    Result<std::unique_ptr<RouterAgent>> agent =
        RouterAgent::Start(*lab_, options);
    ASSERT_TRUE(agent) << agent.error().message;
    agent_ = std::move(*agent);
  }

  // SIGTERM; the agent ends well and leaves its state.
  void StopAgent() {
    agent_->process().Signal(SIGTERM);
    ASSERT_EQ(agent_->process().Wait(std::chrono::seconds(20)), 0)
        << agent_->Log();
    agent_.reset();
  }

  void Apply(const LabSpec& spec) {
    const Result<v1::ApplyResponse> response = agent_->Apply(spec.Text());
    ASSERT_TRUE(response) << response.error().message;
  }

  // examples/NAME.yaml, as it stands there.
  void ApplyExample(const std::string& name) {
    std::ifstream file(std::string(UPLINKD_EXAMPLES) + "/" + name + ".yaml");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    ASSERT_FALSE(text.empty()) << name;
    const Result<v1::ApplyResponse> response = agent_->Apply(text);
    ASSERT_TRUE(response) << response.error().message;
  }

  // A lab, the agent, and a spec in force.
  void Begin(const LabOptions& options, const LabSpec& spec) {
    ASSERT_NO_FATAL_FAILURE(BuildLab(options));
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(Apply(spec));
  }

  void WaitFor(const std::function<bool(const v1::Status&)>& wanted,
               std::chrono::milliseconds patience = kPatience) {
    const Result<v1::Status> status = agent_->WaitFor(wanted, patience);
    ASSERT_TRUE(status) << status.error().message << "\n" << agent_->Log();
  }

  void WaitForPhase(const std::string& uplink, const std::string& phase,
                    std::chrono::milliseconds patience = kPatience) {
    WaitFor(
        [&](const v1::Status& status) {
          return PhaseOf(status, uplink) == phase && InSync(status);
        },
        patience);
  }

  // `count` connections one after the other, from the client's addresses in
  // turn, and the source addresses that the server saw.
  void Connect(int count, int client_addresses,
               std::vector<Connection>* connections,
               std::vector<std::string>* answers) {
    Result<void> failed;
    lab_->client().Run([&] {
      for (int i = 0; i < count && failed; ++i) {
        Result<Connection> connection = Connection::OpenHere(
            {.source = ClientAddress(i % client_addresses)});
        const Result<std::string> answer =
            connection ? connection->Ask() : tl::unexpected(connection.error());
        if (!answer) {
          failed = tl::unexpected(answer.error());
          return;
        }
        connections->push_back(std::move(*connection));
        answers->push_back(*answer);
      }
    });
    ASSERT_TRUE(failed) << failed.error().message << "\n"
                        << OwnState(lab_->router());
  }

  // The same, without keeping the connections: how many each uplink got.
  std::map<std::string, int> Shares(int count, int client_addresses = 1) {
    std::vector<Connection> connections;
    std::vector<std::string> answers;
    Connect(count, client_addresses, &connections, &answers);
    return Tally(answers);
  }

  // The source address that the server sees of a new connection from the
  // client, which names its uplink, or how it failed.
  std::string SourceOf(const Endpoint& endpoint) const {
    return SourceFrom(lab_->client(), endpoint);
  }

  static std::string SourceFrom(const Namespace& where,
                                const Endpoint& endpoint) {
    Result<Connection> connection = Connection::Open(where, endpoint);
    if (!connection) return connection.error().message;
    const Result<std::string> answer = connection->Ask();
    return answer ? *answer : answer.error().message;
  }

  CommandResult OnRouter(const std::string& script) const {
    return Shell(lab_->router(), script);
  }

  std::unique_ptr<Lab> lab_;
  std::unique_ptr<TrafficServer> server_;
  std::unique_ptr<RouterAgent> agent_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_AGENT_LAB_H_
