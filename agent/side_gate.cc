#include "agent/side_gate.h"

#include <optional>
#include <string_view>
#include <utility>

#include "agent/rpc_rules.h"

namespace uplinkd {
namespace {

using grpc::experimental::InterceptionHookPoints;

// Reflection is the one that holds a thread.
std::string_view RpcOf(std::string_view method) {
  return method.starts_with("/grpc.reflection.") ? kReflectionRpc : kSideRpc;
}

// Of one call; goes with it.
class SideInterceptor final : public grpc::experimental::Interceptor {
 public:
  SideInterceptor(const AgentService::Admit& admit,
                  grpc::experimental::ServerRpcInfo& call)
      : admit_(admit), call_(call) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const grpc::ServerContextBase& context = *call_.server_context();
      admission_.emplace(admit_(context, RpcOf(call_.method())));
      if (!*admission_) context.TryCancel();
    }
    if (admission_ && !*admission_ &&
        methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_STATUS)) {
      methods->ModifySendStatus(admission_->status());
    }
    methods->Proceed();
  }

 private:
  const AgentService::Admit& admit_;
  grpc::experimental::ServerRpcInfo& call_;
  std::optional<Gate::Admission> admission_;
};

class SideGate final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit SideGate(AgentService::Admit admit) : admit_(std::move(admit)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    // Ours ask by themselves, with more to tell.
    const std::string_view method = call->method();
    if (method.starts_with("/uplinkd.v1.Agent/")) return nullptr;
    return new SideInterceptor(admit_, *call);
  }

 private:
  const AgentService::Admit admit_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeSideGate(AgentService::Admit admit) {
  return std::make_unique<SideGate>(std::move(admit));
}

}  // namespace uplinkd
