#include "agent/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/files.h"
#include "agent/service.h"
#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

constexpr int kMaxMessage = 1 << 20;
constexpr mode_t kSocketUmask = 0117;  // sockets get mode 0660
constexpr std::chrono::milliseconds kGrace{1000};
// Watchers and ordinary calls, and the threads that poll for them.
constexpr int kMaxThreads = static_cast<int>(Bulletin::kMaxWatchers) + 8;

// Makes way for a socket at `path`.
Result<void> ClearPath(const std::string& path) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return {};
    return Fail(ErrorCode::kInternal,
                path + ": " + std::generic_category().message(errno), errno);
  }
  if (!S_ISSOCK(there.st_mode)) {
    return Fail(ErrorCode::kAlreadyExists, path + " exists and is no socket");
  }
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  // Only a socket that nobody listens on refuses; anything else (a full queue,
  // no permission) may be somebody alive.
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0 &&
      errno == ECONNREFUSED) {
    return RemoveFile(path);
  }
  return Fail(ErrorCode::kAlreadyExists, "another process serves on " + path);
}

class GrpcServer final : public Server {
 public:
  explicit GrpcServer(Engine& engine) : service_(engine) {}

  ~GrpcServer() override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now() + kGrace);
    server_->Wait();
  }

  Result<void> Serve(const std::vector<std::string>& sockets) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    grpc::ResourceQuota quota("uplinkd");
    quota.SetMaxThreads(kMaxThreads);
    builder.SetResourceQuota(quota);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    builder.SetMaxSendMessageSize(kMaxMessage);
    for (const std::string& path : sockets) {
      builder.AddListeningPort("unix:" + path,
                               grpc::InsecureServerCredentials());
    }
    builder.RegisterService(&service_);
    const mode_t before = umask(kSocketUmask);
    server_ = builder.BuildAndStart();
    umask(before);
    if (server_ == nullptr) {
      return Fail(ErrorCode::kUnavailable, "cannot listen on " + sockets[0]);
    }
    SetHealthy(false);
    return {};
  }

  void SetHealthy(bool healthy) override {
    server_->GetHealthCheckService()->SetServingStatus(healthy);
  }

 private:
  AgentService service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(
    const std::vector<std::string>& sockets, Engine& engine) {
  for (const std::string& path : sockets) {
    const std::string directory =
        std::filesystem::path(path).parent_path().string();
    if (Result<void> made = MakeDirectory(directory); !made) {
      return tl::unexpected(made.error());
    }
    if (Result<void> cleared = ClearPath(path); !cleared) {
      return tl::unexpected(cleared.error());
    }
  }
  auto server = std::make_unique<GrpcServer>(engine);
  if (Result<void> serving = server->Serve(sockets); !serving) {
    return tl::unexpected(serving.error());
  }
  return server;
}

}  // namespace uplinkd
