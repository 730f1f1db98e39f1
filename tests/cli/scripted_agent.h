// ScriptedAgent: the service on a Unix socket, with answers from the test.
//
// It serves no kernel; it records what it was asked. The real agent and the
// real client meet in tests/lab.
#ifndef UPLINKD_TESTS_CLI_SCRIPTED_AGENT_H_
#define UPLINKD_TESTS_CLI_SCRIPTED_AGENT_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {

class ScriptedAgent final : public v1::Agent::Service {
 public:
  // Serves on `path` from now on.
  explicit ScriptedAgent(const std::string& path);
  ~ScriptedAgent() override;

  // What it answers. A status that is not OK wins over the answer.
  grpc::Status status = grpc::Status::OK;
  v1::BadSpec bad_spec;  // sent along with a status that is not OK
  v1::ApplyResponse apply;
  v1::DiffResponse diff;
  v1::GetResponse get;
  v1::StatusResponse status_response;
  v1::TraceResponse trace;
  v1::CleanupResponse cleanup;
  v1::DrainResponse drain;
  v1::PauseResponse pause;
  v1::ResumeResponse resume;
  v1::ConnectionsResponse connections;
  v1::EventsResponse events;
  v1::ConfirmResponse confirm;
  v1::CancelConfirmResponse cancel;
  v1::HistoryResponse history;
  std::vector<v1::WatchResponse> watch;
  std::chrono::milliseconds delay{0};
  bool end_watch = false;  // after the messages, rather than wait

  // What it was asked last.
  v1::ApplyRequest apply_request;
  v1::DiffRequest diff_request;
  v1::TraceRequest trace_request;
  v1::CleanupRequest cleanup_request;
  v1::DrainRequest drain_request;
  v1::UndrainRequest undrain_request;
  v1::PauseRequest pause_request;
  v1::ConnectionsRequest connections_request;
  v1::EventsRequest events_request;
  v1::ConfirmRequest confirm_request;
  v1::CancelConfirmRequest cancel_request;
  v1::RollbackRequest rollback_request;

 private:
  grpc::Status Apply(grpc::ServerContext* context,
                     const v1::ApplyRequest* request,
                     v1::ApplyResponse* response) override;
  grpc::Status Diff(grpc::ServerContext* context,
                    const v1::DiffRequest* request,
                    v1::DiffResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetRequest* request,
                   v1::GetResponse* response) override;
  grpc::Status Status(grpc::ServerContext* context,
                      const v1::StatusRequest* request,
                      v1::StatusResponse* response) override;
  grpc::Status Watch(grpc::ServerContext* context,
                     const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchResponse>* writer) override;
  grpc::Status Trace(grpc::ServerContext* context,
                     const v1::TraceRequest* request,
                     v1::TraceResponse* response) override;
  grpc::Status Cleanup(grpc::ServerContext* context,
                       const v1::CleanupRequest* request,
                       v1::CleanupResponse* response) override;
  grpc::Status Drain(grpc::ServerContext* context,
                     const v1::DrainRequest* request,
                     v1::DrainResponse* response) override;
  grpc::Status Undrain(grpc::ServerContext* context,
                       const v1::UndrainRequest* request,
                       v1::UndrainResponse* response) override;
  grpc::Status Pause(grpc::ServerContext* context,
                     const v1::PauseRequest* request,
                     v1::PauseResponse* response) override;
  grpc::Status Resume(grpc::ServerContext* context,
                      const v1::ResumeRequest* request,
                      v1::ResumeResponse* response) override;
  grpc::Status Connections(grpc::ServerContext* context,
                           const v1::ConnectionsRequest* request,
                           v1::ConnectionsResponse* response) override;
  grpc::Status Events(grpc::ServerContext* context,
                      const v1::EventsRequest* request,
                      v1::EventsResponse* response) override;
  grpc::Status Confirm(grpc::ServerContext* context,
                       const v1::ConfirmRequest* request,
                       v1::ConfirmResponse* response) override;
  grpc::Status CancelConfirm(grpc::ServerContext* context,
                             const v1::CancelConfirmRequest* request,
                             v1::CancelConfirmResponse* response) override;
  grpc::Status History(grpc::ServerContext* context,
                       const v1::HistoryRequest* request,
                       v1::HistoryResponse* response) override;
  grpc::Status Rollback(grpc::ServerContext* context,
                        const v1::RollbackRequest* request,
                        v1::ApplyResponse* response) override;

  grpc::Status Answer(grpc::ServerContext* context) const;

  std::unique_ptr<grpc::Server> server_;
};

// Runs the client against an agent whose answers are scripted.
class ScriptedAgentTest : public ProgramTest {
 protected:
  ScriptedAgentTest() : agent_(socket()) {}

  std::string socket() const { return (directory() / "socket").string(); }
  ProgramResult Ask(const std::string& arguments) const {
    return Ctl(arguments, "UPLINKD_ADDRESS=unix://" + socket());
  }

  ScriptedAgent agent_;
};

// One line of a plan.
v1::PlanLine Line(const std::string& sign, const std::string& command,
                  const std::string& reason, const std::string& result = "",
                  const std::string& error = "");

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_CLI_SCRIPTED_AGENT_H_
