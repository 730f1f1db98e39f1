#include "tests/cli/scripted_agent.h"

#include <thread>

namespace uplinkd {

ScriptedAgent::ScriptedAgent(const std::string& path) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

ScriptedAgent::~ScriptedAgent() {
  server_->Shutdown(std::chrono::system_clock::now());
}

grpc::Status ScriptedAgent::Answer(grpc::ServerContext* context) const {
  std::this_thread::sleep_for(delay);
  if (!status.ok() && bad_spec.violations_size() > 0) {
    context->AddTrailingMetadata("uplinkd-bad-spec-bin",
                                 bad_spec.SerializeAsString());
  }
  return status;
}

grpc::Status ScriptedAgent::Apply(grpc::ServerContext* context,
                                  const v1::ApplyRequest* request,
                                  v1::ApplyResponse* response) {
  apply_request = *request;
  *response = apply;
  return Answer(context);
}

grpc::Status ScriptedAgent::Diff(grpc::ServerContext* context,
                                 const v1::DiffRequest* request,
                                 v1::DiffResponse* response) {
  diff_request = *request;
  *response = diff;
  return Answer(context);
}

grpc::Status ScriptedAgent::Get(grpc::ServerContext* context,
                                const v1::GetRequest* /*request*/,
                                v1::GetResponse* response) {
  *response = get;
  return Answer(context);
}

grpc::Status ScriptedAgent::Status(grpc::ServerContext* context,
                                   const v1::StatusRequest* /*request*/,
                                   v1::StatusResponse* response) {
  *response = status_response;
  return Answer(context);
}

grpc::Status ScriptedAgent::Watch(
    grpc::ServerContext* context, const v1::WatchRequest* /*request*/,
    grpc::ServerWriter<v1::WatchResponse>* writer) {
  for (const v1::WatchResponse& response : watch) writer->Write(response);
  while (!end_watch && !context->IsCancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Answer(context);
}

grpc::Status ScriptedAgent::Trace(grpc::ServerContext* context,
                                  const v1::TraceRequest* request,
                                  v1::TraceResponse* response) {
  trace_request = *request;
  *response = trace;
  return Answer(context);
}

grpc::Status ScriptedAgent::Cleanup(grpc::ServerContext* context,
                                    const v1::CleanupRequest* request,
                                    v1::CleanupResponse* response) {
  cleanup_request = *request;
  *response = cleanup;
  return Answer(context);
}

grpc::Status ScriptedAgent::Drain(grpc::ServerContext* context,
                                  const v1::DrainRequest* request,
                                  v1::DrainResponse* response) {
  drain_request = *request;
  *response = drain;
  return Answer(context);
}

grpc::Status ScriptedAgent::Undrain(grpc::ServerContext* context,
                                    const v1::UndrainRequest* request,
                                    v1::UndrainResponse* /*response*/) {
  undrain_request = *request;
  return Answer(context);
}

grpc::Status ScriptedAgent::Pause(grpc::ServerContext* context,
                                  const v1::PauseRequest* request,
                                  v1::PauseResponse* response) {
  pause_request = *request;
  *response = pause;
  return Answer(context);
}

grpc::Status ScriptedAgent::Resume(grpc::ServerContext* context,
                                   const v1::ResumeRequest* /*request*/,
                                   v1::ResumeResponse* response) {
  *response = resume;
  return Answer(context);
}

grpc::Status ScriptedAgent::Connections(grpc::ServerContext* context,
                                        const v1::ConnectionsRequest* request,
                                        v1::ConnectionsResponse* response) {
  connections_request = *request;
  *response = connections;
  return Answer(context);
}

grpc::Status ScriptedAgent::Events(grpc::ServerContext* context,
                                   const v1::EventsRequest* request,
                                   v1::EventsResponse* response) {
  events_request = *request;
  *response = events;
  return Answer(context);
}

grpc::Status ScriptedAgent::Confirm(grpc::ServerContext* context,
                                    const v1::ConfirmRequest* request,
                                    v1::ConfirmResponse* response) {
  confirm_request = *request;
  *response = confirm;
  return Answer(context);
}

grpc::Status ScriptedAgent::CancelConfirm(
    grpc::ServerContext* context, const v1::CancelConfirmRequest* request,
    v1::CancelConfirmResponse* response) {
  cancel_request = *request;
  *response = cancel;
  return Answer(context);
}

grpc::Status ScriptedAgent::History(grpc::ServerContext* context,
                                    const v1::HistoryRequest* /*request*/,
                                    v1::HistoryResponse* response) {
  *response = history;
  return Answer(context);
}

grpc::Status ScriptedAgent::Rollback(grpc::ServerContext* context,
                                     const v1::RollbackRequest* request,
                                     v1::ApplyResponse* response) {
  rollback_request = *request;
  *response = apply;
  return Answer(context);
}

v1::PlanLine Line(const std::string& sign, const std::string& command,
                  const std::string& reason, const std::string& result,
                  const std::string& error) {
  v1::PlanLine line;
  line.set_sign(sign);
  line.set_command(command);
  line.set_reason(reason);
  line.set_result(result);
  line.set_error(error);
  return line;
}

}  // namespace uplinkd
