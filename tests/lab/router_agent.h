// RouterAgent: the real uplinkd in the lab's router, and its client.
//
// The program that this build made (or that UPLINKD_PROGRAM and
// UPLINKCTL_PROGRAM in the environment name), with socket, state and name files
// in the lab's private directory. Requests go over gRPC, or through uplinkctl.
// Not for production code.
#ifndef UPLINKD_TESTS_LAB_ROUTER_AGENT_H_
#define UPLINKD_TESTS_LAB_ROUTER_AGENT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/lab/lab.h"
#include "tests/lab/process.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd::lab {

struct RouterAgentOptions {
  // Put before the program: {"strace", "-f", "-o", "FILE"}.
  std::vector<std::string> wrapper = {};
  std::vector<std::string> arguments = {};  // added to ours
  std::string metrics_address = "127.0.0.1:9871";
  std::string log_level = "debug";
  // Distinguishes the files of two agents in one lab.
  std::string name = "agent";
  // Where it runs; must outlive it. Null: in the lab's router.
  const Namespace* where = nullptr;
};

class RouterAgent {
 public:
  using Patience = std::chrono::milliseconds;

  // Starts it and waits until it answers. Fails with its log if it does not.
  static Result<std::unique_ptr<RouterAgent>> Start(
      const Lab& lab, const RouterAgentOptions& options = {});
  // Starts it and does not wait: for an agent that is meant to fail.
  static Result<std::unique_ptr<RouterAgent>> Launch(
      const Lab& lab, const RouterAgentOptions& options);

  // Hands over a spec (YAML) and waits until the kernel holds it. Fails with
  // the status or, if the kernel does not hold it, with the plan. Without
  // patience it answers once the agent has tried.
  Result<v1::ApplyResponse> Apply(const std::string& spec,
                                  Patience patience = Patience(10000));
  Result<v1::Status> Status();
  // Asks for the status until `wanted` holds. Fails with the last status.
  Result<v1::Status> WaitFor(
      const std::function<bool(const v1::Status&)>& wanted,
      Patience patience = Patience(10000));
  Result<v1::CleanupResponse> Cleanup();
  // The plan of the spec in force: empty when the kernel holds it.
  Result<v1::DiffResponse> Diff();

  // The service over a connection of its own.
  std::unique_ptr<v1::Agent::Stub> NewStub() const;

  // `uplinkctl --address OURS ARGUMENT...`
  CommandResult Ctl(std::vector<std::string> arguments) const;
  // What GET /metrics answers.
  std::string Metrics() const;
  // What it wrote to standard output and error so far.
  std::string Log() const;

  Process& process() { return process_; }
  v1::Agent::Stub& stub() { return *stub_; }

 private:
  RouterAgent(const Namespace& where, Process process)
      : where_(where), process_(std::move(process)) {}

  void Connect();
  Result<v1::Status> AskStatus(Patience patience);

  const Namespace& where_;
  Process process_;
  std::string address_;
  std::string log_file_;
  std::string metrics_address_;
  std::unique_ptr<v1::Agent::Stub> stub_;
};

// The condition of that type, or null.
const v1::Condition* FindCondition(const v1::Status& status,
                                   const std::string& type);
bool InSync(const v1::Status& status);
// "Ready", "Waiting", "Blocked", "Down", or "" for an unknown uplink.
std::string PhaseOf(const v1::Status& status, const std::string& uplink);

// A spec for a lab of `uplinks` lines, as the YAML that an operator writes.
struct LabSpec {
  std::size_t uplinks = 2;
  std::string algorithm = "weighted-random";
  // Capacity of uplink N in Mbit/s, in order; missing ones are 10.
  std::vector<int> capacities = {};
  // Whether addresses and gateways are written down or left to be learned.
  bool learn = false;
  std::string nat = "snat";
  std::string revision = "1";
  std::string measure = "download";
  std::string health = "";  // of every uplink, in YAML; "": it is not probed
  // Further lines of the spec, which begin within `balance`.
  std::string more = "";

  std::string Text() const;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_ROUTER_AGENT_H_
