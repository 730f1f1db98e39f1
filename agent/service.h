// AgentService: the gRPC service, a thin translation.
//
// Messages become values, the engine answers, values become messages. Calls
// run in gRPC's threads and wait for the engine there; a watcher holds a thread
// for as long as it watches, so their number is bounded.
#ifndef UPLINKD_AGENT_SERVICE_H_
#define UPLINKD_AGENT_SERVICE_H_

#include "agent/engine.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {

// Trailing metadata of a refused spec: a serialized BadSpec.
inline constexpr const char* kBadSpecKey = "uplinkd-bad-spec-bin";

class AgentService final : public v1::Agent::Service {
 public:
  // `engine` must outlive the service.
  explicit AgentService(Engine& engine) : engine_(engine) {}

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

 private:
  grpc::Status ApplyAndWait(grpc::ServerContext& context, Offer offer,
                            const google::protobuf::Duration& wait,
                            v1::ApplyResponse* response);

  grpc::Status DryRun(const Spec& spec, std::uint64_t expected_generation,
                      v1::ApplyResponse* response);

  Engine& engine_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SERVICE_H_
