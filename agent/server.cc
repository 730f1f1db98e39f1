#include "agent/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/access_log.h"
#include "agent/gate.h"
#include "agent/listener.h"
#include "agent/peers.h"
#include "agent/roles.h"
#include "agent/service.h"
#include "agent/side_gate.h"
#include "agent/tls.h"

namespace uplinkd {
namespace {

using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

constexpr int kMaxMessage = 1 << 20;
constexpr std::chrono::milliseconds kGrace{1000};
// For eight callers that each do as much at once as they may. A thread is
// started when it is needed.
constexpr int kMaxThreads = 8 * GateLimits{}.at_once;
// Calls and watches of one connection; more wait at the client.
constexpr int kMaxStreams = 128;
// Who does not get through a TLS handshake in this time is cut off; whoever
// does not answer a ping is taken for gone.
constexpr std::chrono::milliseconds kHandshake{10000};
constexpr std::chrono::milliseconds kPingEvery{60000};
constexpr std::chrono::milliseconds kPingPatience{20000};

int Milliseconds(std::chrono::milliseconds duration) {
  return static_cast<int>(duration.count());
}

void SetLimits(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("uplinkd");
  quota.SetMaxThreads(kMaxThreads);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.SetMaxReceiveMessageSize(kMaxMessage);
  builder.SetMaxSendMessageSize(kMaxMessage);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Milliseconds(kHandshake));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             Milliseconds(kPingEvery));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(kPingPatience));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

class GrpcServer final : public Server {
 public:
  explicit GrpcServer(Engine& engine)
      : service_(engine, [this](const auto& context, std::string_view rpc) {
          return Admit(context, rpc);
        }) {}

  ~GrpcServer() override {
    listener_.Stop();
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() + kGrace);
    server_->Wait();
  }

  Result<void> Serve(const AccessOptions& options) {
    std::shared_ptr<grpc::ServerCredentials> credentials;
    if (!options.tcp.empty()) {
      auto made = MakeTlsCredentials(options.tls);
      if (!made) return tl::unexpected(made.error());
      credentials = *std::move(made);
      roles_.emplace(options.roles);
      if (const auto loaded = roles_->Load(); !loaded) {
        return Fail(ErrorCode::kInvalidArgument, loaded.error().front());
      }
      files_.emplace(options.tls);
    }
    if (Result<void> opened = listener_.Open(options); !opened) return opened;
    TakeOverGrpcLog();
    if (Result<void> built = Build(std::move(credentials)); !built) {
      return built;
    }
    SetHealthy(false);
    listener_.Start({.unix_connection =
                         [this](int fd) {
                           grpc::AddInsecureChannelFromFd(server_.get(), fd);
                         },
                     .tcp_connection = [this](int fd) { TakeTcp(fd); },
                     .each_second = [this] { LookAtFiles(); }});
    return {};
  }

  void SetHealthy(bool healthy) override {
    server_->GetHealthCheckService()->SetServingStatus(healthy);
  }

  void ReloadRoles() override {
    if (roles_) roles_->Reload();
  }

  std::vector<std::uint16_t> TcpPorts() const override {
    return listener_.TcpPorts();
  }

 private:
  // gRPC listens nowhere itself.
  Result<void> Build(std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    SetLimits(builder);
    if (credentials != nullptr) {
      using Experimental = grpc::ServerBuilder::experimental_type;
      tls_acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
          Experimental::ExternalConnectionType::FROM_FD,
          std::move(credentials));
    }
    std::vector<
        std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
        interceptors;
    interceptors.push_back(
        MakeSideGate([this](const auto& context, std::string_view rpc) {
          return Admit(context, rpc);
        }));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ != nullptr) return {};
    return Fail(ErrorCode::kUnavailable, "cannot start the service");
  }

  void TakeTcp(int fd) {
    Acceptor::NewConnectionParameters connection;
    connection.fd = fd;
    tls_acceptor_->HandleNewConnection(&connection);
  }

  void LookAtFiles() {
    if (roles_) roles_->LoadIfChanged();
    if (files_) files_->LookAgain();
  }

  Gate::Admission Admit(const grpc::ServerContextBase& context,
                        std::string_view rpc) {
    const std::string peer = context.peer();
    if (roles_) {
      const auto identity = context.auth_context();
      if (identity->IsPeerAuthenticated()) {
        return gate_.Admit(TlsCaller(*identity, peer, *roles_), rpc);
      }
    }
    return gate_.Admit(peers_.Find(peer), rpc);
  }

  // In the order in which they need each other.
  Gate gate_;
  Peers peers_;
  std::optional<Roles> roles_;          // with TCP
  std::optional<TlsFilesWatch> files_;  // with TCP
  AgentService service_;
  std::unique_ptr<Acceptor> tls_acceptor_;
  std::unique_ptr<grpc::Server> server_;
  Listener listener_{peers_};
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const AccessOptions& options,
                                              Engine& engine) {
  auto server = std::make_unique<GrpcServer>(engine);
  if (Result<void> serving = server->Serve(options); !serving) {
    return tl::unexpected(serving.error());
  }
  return server;
}

}  // namespace uplinkd
