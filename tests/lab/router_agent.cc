#include "tests/lab/router_agent.h"

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <utility>

#include "proto/spec_reader.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Every call ends, so that a test fails instead of standing still.
std::unique_ptr<grpc::ClientContext> Context(milliseconds patience) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + patience);
  return context;
}

tl::unexpected<Error> Failed(const grpc::Status& status) {
  return Fail(ErrorCode::kUnavailable, "status " +
                                           std::to_string(status.error_code()) +
                                           ": " + status.error_message());
}

// The environment may name programs of another build.
std::string Program(const char* variable, const char* built) {
  const char* other = std::getenv(variable);
  return other != nullptr ? other : built;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Result<std::unique_ptr<RouterAgent>> RouterAgent::Launch(
    const Lab& lab, const RouterAgentOptions& options) {
  const std::filesystem::path base = lab.directory() / options.name;
  ProcessOptions process;
  process.arguments = options.wrapper;
  const std::string address = "unix://" + base.string() + ".sock";
  const std::vector<std::string> ours = {
      Program("UPLINKD_PROGRAM", UPLINKD_PROGRAM),
      "--listen",
      address,
      "--metrics-listen",
      options.metrics_address,
      "--state-dir",
      base.string() + ".state",
      "--iproute2-dir",
      base.string() + ".iproute2",
      "--hooks-dir",
      base.string() + ".hooks",
      "--log-level",
      options.log_level};
  process.arguments.insert(process.arguments.end(), ours.begin(), ours.end());
  process.arguments.insert(process.arguments.end(), options.arguments.begin(),
                           options.arguments.end());
  process.output_file = base.string() + ".log";
  // The leak check cannot run under strace; tests without it still check.
  if (!options.wrapper.empty()) {
    process.environment["ASAN_OPTIONS"] = "detect_leaks=0";
  }
  const std::string log_file = process.output_file;
  const Namespace& where =
      options.where != nullptr ? *options.where : lab.router();
  Result<Process> started = Process::Start(where, std::move(process));
  if (!started) return tl::unexpected(started.error());
  std::unique_ptr<RouterAgent> agent(
      new RouterAgent(where, std::move(*started)));
  agent->address_ = address;
  agent->log_file_ = log_file;
  agent->metrics_address_ = options.metrics_address;
  agent->Connect();
  return agent;
}

std::unique_ptr<v1::Agent::Stub> RouterAgent::NewStub() const {
  grpc::ChannelArguments arguments;
  // Agents come and go in a test: no shared connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Agent::NewStub(grpc::CreateCustomChannel(
      address_, grpc::InsecureChannelCredentials(), arguments));
}

void RouterAgent::Connect() {
  stub_ = NewStub();
}

Result<std::unique_ptr<RouterAgent>> RouterAgent::Start(
    const Lab& lab, const RouterAgentOptions& options) {
  Result<std::unique_ptr<RouterAgent>> agent = Launch(lab, options);
  if (!agent) return agent;
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  while (steady_clock::now() < deadline && (*agent)->process().Running()) {
    // A channel of its own each time: one that came too early backs off.
    (*agent)->Connect();
    if ((*agent)->AskStatus(milliseconds(1000))) return agent;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return Fail(ErrorCode::kUnavailable,
              "uplinkd does not answer: " + (*agent)->Log());
}

Result<v1::ApplyResponse> RouterAgent::Apply(const std::string& spec,
                                             Patience patience) {
  const tl::expected<SpecFile, std::vector<SpecFault>> file =
      ReadSpecText(spec, "lab.yaml");
  if (!file) {
    std::string faults;
    for (const SpecFault& fault : file.error()) {
      faults += RenderFault(fault) + "\n";
    }
    return Fail(ErrorCode::kInvalidArgument, faults);
  }
  v1::ApplyRequest request;
  *request.mutable_router() = file->router;
  request.mutable_wait()->set_seconds(patience.count() / 1000);
  v1::ApplyResponse response;
  const grpc::Status status = stub_->Apply(
      Context(patience + milliseconds(10000)).get(), request, &response);
  if (!status.ok()) return Failed(status);
  if (patience.count() > 0 && !response.in_sync()) {
    return Fail(ErrorCode::kDeadlineExceeded,
                "the kernel does not hold the spec: " +
                    response.ShortDebugString() + "\n" + Log());
  }
  return response;
}

Result<v1::Status> RouterAgent::Status() {
  return AskStatus(milliseconds(10000));
}

Result<v1::Status> RouterAgent::AskStatus(Patience patience) {
  v1::StatusResponse response;
  const grpc::Status status =
      stub_->Status(Context(patience).get(), v1::StatusRequest(), &response);
  if (!status.ok()) return Failed(status);
  return response.status();
}

Result<v1::Status> RouterAgent::WaitFor(
    const std::function<bool(const v1::Status&)>& wanted, Patience patience) {
  const auto deadline = steady_clock::now() + patience;
  while (true) {
    Result<v1::Status> status = Status();
    if (status && wanted(*status)) return status;
    if (steady_clock::now() >= deadline) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  "the status stays: " + (status ? status->ShortDebugString()
                                                 : status.error().message));
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
}

Result<v1::CleanupResponse> RouterAgent::Cleanup() {
  v1::CleanupResponse response;
  const grpc::Status status = stub_->Cleanup(Context(milliseconds(20000)).get(),
                                             v1::CleanupRequest(), &response);
  if (!status.ok()) return Failed(status);
  return response;
}

Result<v1::DiffResponse> RouterAgent::Diff() {
  v1::DiffResponse response;
  const grpc::Status status = stub_->Diff(Context(milliseconds(20000)).get(),
                                          v1::DiffRequest(), &response);
  if (!status.ok()) return Failed(status);
  return response;
}

CommandResult RouterAgent::Ctl(std::vector<std::string> arguments) const {
  std::vector<std::string> all = {
      Program("UPLINKCTL_PROGRAM", UPLINKCTL_PROGRAM), "--address", address_};
  all.insert(all.end(), std::make_move_iterator(arguments.begin()),
             std::make_move_iterator(arguments.end()));
  return Command(where_, std::move(all));
}

std::string RouterAgent::Metrics() const {
  return Command(where_, {"curl", "-sS", "--max-time", "5",
                          "http://" + metrics_address_ + "/metrics"})
      .output;
}

std::string RouterAgent::Log() const {
  return ReadFile(log_file_);
}

const v1::Condition* FindCondition(const v1::Status& status,
                                   const std::string& type) {
  for (const v1::Condition& condition : status.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

bool InSync(const v1::Status& status) {
  const v1::Condition* programmed = FindCondition(status, "Programmed");
  return programmed != nullptr && programmed->status() == "True";
}

std::string PhaseOf(const v1::Status& status, const std::string& uplink) {
  for (const v1::UplinkStatus& candidate : status.uplinks()) {
    if (candidate.name() == uplink) return candidate.phase();
  }
  return "";
}

std::string LabSpec::Text() const {
  std::ostringstream text;
  text << "apiVersion: uplinkd/v1\n"
          "kind: Router\n"
          "metadata: {name: lab, revision: \""
       << revision
       << "\"}\n"
          "spec:\n"
          "  lans:\n"
          "    - {interface: lan0, networks: ["
       << kLanNetwork
       << "]}\n"
          "  uplinks:\n";
  for (std::size_t n = 1; n <= uplinks; ++n) {
    const int capacity = n <= capacities.size() ? capacities[n - 1] : 10;
    text << "    - name: " << UplinkInterface(n)
         << "\n      interface: " << UplinkInterface(n) << "\n      id: " << n
         << "\n      nat: " << nat
         << "\n      capacity: {download: " << capacity
         << "mbit, upload: " << capacity << "mbit}\n";
    if (!learn) {
      text << "      address: " << UplinkAddress(n)
           << "\n      gateway: " << GatewayAddress(n) << "\n";
    }
    if (!health.empty()) text << "      health: " << health << "\n";
  }
  text << "  balance:\n    algorithm: " << algorithm << "\n";
  if (algorithm == "least-loaded") text << "    measure: " << measure << "\n";
  text << more;
  return text.str();
}

}  // namespace uplinkd::lab
