// AgentService: the gRPC service, a thin translation.
//
// Messages become values, the engine answers, values become messages. Each call
// asks for admission first: who calls, and may they? Calls run in gRPC's
// threads and wait for the engine there; those that watch hold none.
#ifndef UPLINKD_AGENT_SERVICE_H_
#define UPLINKD_AGENT_SERVICE_H_

#include <string_view>

#include "agent/engine.h"
#include "agent/gate.h"
#include "agent/watch_hub.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {

// Trailing metadata of a refused spec: a serialized BadSpec.
inline constexpr const char* kBadSpecKey = "uplinkd-bad-spec-bin";

class AgentService final
    : public v1::Agent::WithCallbackMethod_Watch<v1::Agent::Service> {
 public:
  // Leave for a call, or why not.
  using Admit = std::function<Gate::Admission(
      const grpc::ServerContextBase& context, std::string_view rpc)>;

  // `engine` must outlive the service. Goes after the server that it is for.
  AgentService(Engine& engine, Admit admit)
      : engine_(engine), admit_(std::move(admit)), hub_(engine.bulletin()) {}

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
  WatchHub::Stream* Watch(grpc::CallbackServerContext* context,
                          const v1::WatchRequest* request) override;
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
  grpc::Status Connections(grpc::ServerContext* context,
                           const v1::ConnectionsRequest* request,
                           v1::ConnectionsResponse* response) override;
  grpc::Status Events(grpc::ServerContext* context,
                      const v1::EventsRequest* request,
                      v1::EventsResponse* response) override;
  grpc::Status Pause(grpc::ServerContext* context,
                     const v1::PauseRequest* request,
                     v1::PauseResponse* response) override;
  grpc::Status Resume(grpc::ServerContext* context,
                      const v1::ResumeRequest* request,
                      v1::ResumeResponse* response) override;
  // ---- specs over time: service_specs.cc ----
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

  // Roles have changed: ends what is watched by those who may not any more.
  void ReviewWatches() { hub_.Review(); }

 private:
  grpc::Status ApplyAndWait(grpc::ServerContext& context,
                            Gate::Admission& admission, Offer offer,
                            const google::protobuf::Duration& wait,
                            v1::ApplyResponse* response);

  grpc::Status DryRun(Offer offer, v1::ApplyResponse* response);

  Engine& engine_;
  const Admit admit_;
  WatchHub hub_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SERVICE_H_
