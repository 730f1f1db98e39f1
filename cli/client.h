// Client: the agent's service, one call per method.
//
// Turns grpc::Status into words once, so that no verb knows about gRPC. Every
// call has a deadline. One thread.
#ifndef UPLINKD_CLI_CLIENT_H_
#define UPLINKD_CLI_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "cli/exit_code.h"
#include "reconciler/spec.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {

struct CallError {
  ExitCode exit_code = ExitCode::kRefused;
  std::string message;                // one sentence, with what to do
  std::vector<Violation> violations;  // of a spec that the agent refused
};

template <typename T>
using CallResult = tl::expected<T, CallError>;

// The files that an agent over TCP asks for; all of them or none.
struct ClientTls {
  std::string ca;           // what must vouch for the agent
  std::string certificate;  // ours
  std::string key;
};

class Client {
 public:
  // gRPC is not started before the first call. `address` as gRPC has them,
  // "unix:///run/uplinkd/uplinkd.sock", or "tcp://192.0.2.1:9870", which needs
  // `tls`. `timeout` holds for each call.
  Client(const std::string& address, std::chrono::milliseconds timeout,
         ClientTls tls = {});

  // Waits longer than `timeout` by what the request waits.
  CallResult<v1::ApplyResponse> Apply(const v1::ApplyRequest& request);
  CallResult<v1::DiffResponse> Diff(const v1::DiffRequest& request);
  CallResult<v1::GetResponse> Get();
  CallResult<v1::StatusResponse> Status();
  CallResult<v1::TraceResponse> Trace(const v1::TraceRequest& request);
  CallResult<v1::CleanupResponse> Cleanup(const v1::CleanupRequest& request);
  CallResult<v1::DrainResponse> Drain(const v1::DrainRequest& request);
  CallResult<v1::UndrainResponse> Undrain(const v1::UndrainRequest& request);
  CallResult<v1::PauseResponse> Pause(const v1::PauseRequest& request);
  CallResult<v1::ResumeResponse> Resume();
  CallResult<v1::ConnectionsResponse> Connections(
      const v1::ConnectionsRequest& request);
  CallResult<v1::EventsResponse> Events(const v1::EventsRequest& request);
  CallResult<v1::ConfirmResponse> Confirm(const v1::ConfirmRequest& request);
  CallResult<v1::CancelConfirmResponse> CancelConfirm(
      const v1::CancelConfirmRequest& request);
  CallResult<v1::HistoryResponse> History(const v1::HistoryRequest& request);
  // Waits as Apply() does.
  CallResult<v1::ApplyResponse> Rollback(const v1::RollbackRequest& request);

  // Calls `handler` with each message until the agent ends the stream, which
  // is an error, or SIGINT or SIGTERM comes, which is not.
  CallResult<void> Watch(
      const std::function<void(const v1::WatchResponse&)>& handler);

 private:
  template <typename Request, typename Response>
  using Method = grpc::Status (v1::Agent::Stub::*)(grpc::ClientContext*,
                                                   const Request&, Response*);

  template <typename Request, typename Response>
  CallResult<Response> Call(Method<Request, Response> method,
                            const Request& request,
                            std::chrono::milliseconds timeout);
  // Fails if the files for TLS are missing or cannot be read.
  CallResult<v1::Agent::Stub*> Stub();
  CallError ErrorOf(const grpc::Status& status,
                    const grpc::ClientContext& context) const;

  std::string address_;
  std::chrono::milliseconds timeout_;
  ClientTls tls_;
  std::unique_ptr<v1::Agent::Stub> stub_;
};

}  // namespace uplinkd

#endif  // UPLINKD_CLI_CLIENT_H_
