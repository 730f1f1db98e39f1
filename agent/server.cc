#include "agent/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/access_log.h"
#include "agent/gate.h"
#include "agent/listener.h"
#include "agent/logging.h"
#include "agent/peers.h"
#include "agent/roles.h"
#include "agent/service.h"
#include "agent/side_gate.h"
#include "agent/tls.h"

namespace uplinkd {
namespace {

using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

// A spec's file of 1 MiB (kMaxSpecBytes) becomes a request of at most 1.5 MiB:
// two bytes of a list ("0,") become three. A plan that it is to hold to comes
// with it.
constexpr int kMaxRequest = 4 << 20;
// What is sent is our own. An answer that does not fit is one that is lost, and
// the plan of a spec has many times its size.
constexpr int kMaxAnswer = 64 << 20;
constexpr std::chrono::milliseconds kGrace{1000};
// For all that the gate lets in. A thread is started when it is needed.
constexpr int kMaxThreads = GateLimits{}.Threads();
// Calls and watches of one connection; more wait at the client.
constexpr int kMaxStreams = 128;
// Who does not get through a TLS handshake in this time is cut off; whoever
// does not answer a ping is taken for gone.
constexpr std::chrono::milliseconds kHandshake{5000};
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
  builder.SetMaxReceiveMessageSize(kMaxRequest);
  builder.SetMaxSendMessageSize(kMaxAnswer);
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
    listener_.Stop();  // first: its thread may open the other
    tcp_.reset();
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() + kGrace);
    server_->Wait();
  }

  Result<void> Serve(const AccessOptions& options) {
    std::shared_ptr<grpc::ServerCredentials> credentials;
    if (!options.tcp.empty()) {
      auto made = tls_.emplace(options.tls).MakeCredentials();
      if (!made) return tl::unexpected(made.error());
      credentials = *std::move(made);
      roles_.emplace(options.roles);
      tcp_options_.tcp = options.tcp;
    }
    AccessOptions unix_options = options;
    unix_options.tcp.clear();
    if (auto opened = listener_.Open(unix_options); !opened) return opened;
    TakeOverGrpcLog();
    if (Result<void> built = Build(std::move(credentials)); !built) {
      return built;
    }
    SetHealthy(false);
    if (tls_) {
      if (const Result<void> loaded = LoadFiles(); !loaded) {
        LogClosed(loaded.error());
      } else if (Result<void> opened = OpenTcp(); !opened) {
        return opened;
      }
    }
    listener_.Start({.unix_connection =
                         [this](int fd) {
                           grpc::AddInsecureChannelFromFd(server_.get(), fd);
                         },
                     .tcp_connection = {},
                     .each_second = [this] { LookAtFiles(); }});
    return {};
  }

  void SetHealthy(bool healthy) override {
    server_->GetHealthCheckService()->SetServingStatus(healthy);
  }

  void ReloadRoles() override {
    if (roles_ && roles_->Reload()) service_.ReviewWatches();
  }

  std::vector<std::uint16_t> TcpPorts() const override {
    const std::lock_guard lock(tcp_mutex_);
    return tcp_ == nullptr ? std::vector<std::uint16_t>() : tcp_->TcpPorts();
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

  // Fails as long as TCP cannot be served; good files stay in force later.
  Result<void> LoadFiles() {
    if (Result<void> loaded = tls_->LoadIfChanged(); !loaded) return loaded;
    if (roles_loaded_) {
      if (roles_->LoadIfChanged()) service_.ReviewWatches();
      return {};
    }
    if (const auto loaded = roles_->Load(); !loaded) {
      return Fail(ErrorCode::kInvalidArgument, loaded.error().front());
    }
    roles_loaded_ = true;
    return {};
  }

  // gRPC's credentials take up another certificate without a lock, so that all
  // connections over TCP have to come in one thread: this listener's.
  Result<void> OpenTcp() {
    auto listener = std::make_unique<Listener>(peers_);
    if (auto opened = listener->Open(tcp_options_); !opened) return opened;
    listener->Start({.unix_connection = {},
                     .tcp_connection = [this](int fd) { TakeTcp(fd); },
                     .each_second = [] {}});
    const std::lock_guard lock(tcp_mutex_);
    tcp_ = std::move(listener);
    return {};
  }

  void LookAtFiles() {
    if (!tls_) return;
    Result<void> ready = LoadFiles();
    if (tcp_ != nullptr) return;  // only this thread changes it
    if (ready) ready = OpenTcp();
    if (!ready) return LogClosed(ready.error());
    for (const TcpAddress& address : tcp_options_.tcp) {
      Log(spdlog::level::info,
          "the files for TLS are good: serving on tcp://" + address.Text(),
          {{"event", "tls"}, {"result", "accepted"}});
    }
  }

  // Once for each fault.
  void LogClosed(const Error& error) {
    if (std::exchange(closed_, error.message) == error.message) return;
    Log(spdlog::level::err, "TCP is not served yet: " + error.message,
        {{"event", "tls"}, {"result", "refused"}, {"error", error.message}});
  }

  Gate::Admission Admit(const grpc::ServerContextBase& context,
                        std::string_view rpc) {
    const std::string peer = context.peer();
    if (roles_) {
      const auto identity = context.auth_context();
      if (identity->IsPeerAuthenticated()) {
        auto admission = gate_.Admit(TlsCaller(*identity, peer, *roles_), rpc);
        if (admission) peers_.NoteAdmitted(peer);
        admission.Follow([this, identity, peer] {
          return TlsCaller(*identity, peer, *roles_).role;
        });
        return admission;
      }
    }
    return gate_.Admit(peers_.Find(peer), rpc);
  }

  // In the order in which they need each other.
  Gate gate_;
  Peers peers_;
  std::optional<Roles> roles_;    // with TCP
  std::optional<TlsKeeper> tls_;  // with TCP
  AccessOptions tcp_options_;     // its addresses alone
  bool roles_loaded_ = false;
  std::string closed_;  // why TCP is not served yet, as it was logged
  AgentService service_;
  std::unique_ptr<Acceptor> tls_acceptor_;
  std::unique_ptr<grpc::Server> server_;
  mutable std::mutex tcp_mutex_;
  std::unique_ptr<Listener> tcp_;  // written under tcp_mutex_; null: not served
  Listener listener_{peers_};      // of Unix sockets, and looks at the files
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
