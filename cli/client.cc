#include "cli/client.h"

#include <google/protobuf/util/time_util.h>

#include <csignal>
#include <thread>

namespace uplinkd {
namespace {

// Where the agent puts the violations of a spec that it refuses.
constexpr const char* kBadSpecKey = "uplinkd-bad-spec-bin";

// gRPC wraps the system's words in its own; the last part is what counts.
std::string SystemWords(const std::string& message) {
  const std::size_t colon = message.rfind(": ");
  return colon == std::string::npos ? message : message.substr(colon + 2);
}

std::string NoAgentMessage(const std::string& address,
                           const std::string& words) {
  const std::string advice =
      words == "Permission denied"
          ? "run it as root, or as a member of the socket's group"
          : "is it running? See \"systemctl status uplinkd\"; another socket "
            "is named with --address or UPLINKD_ADDRESS";
  return "no agent answers at " + address + " (" + words + "): " + advice;
}

std::vector<Violation> ViolationsOf(const grpc::ClientContext& context) {
  std::vector<Violation> violations;
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto entry = metadata.find(kBadSpecKey);
  v1::BadSpec bad_spec;
  if (entry == metadata.end() ||
      !bad_spec.ParseFromArray(entry->second.data(),
                               static_cast<int>(entry->second.size()))) {
    return violations;
  }
  for (const v1::Violation& violation : bad_spec.violations()) {
    violations.push_back({violation.field(), violation.message()});
  }
  return violations;
}

// SIGINT and SIGTERM, blocked in this thread and in those that it starts: to be
// made before gRPC starts any.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~StopSignals() {
    // One that came twice has done its work.
    const timespec at_once{};
    while (sigtimedwait(&signals_, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  void Await() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_{};
  sigset_t before_{};
};

// Cancels a call when the user wants out.
class CancelOnSignal {
 public:
  CancelOnSignal(const StopSignals& signals, grpc::ClientContext& context)
      : waiter_([&signals, &context] {
          signals.Await();
          context.TryCancel();
        }) {}
  ~CancelOnSignal() {
    // Wakes the waiter, which has the signal blocked and waits for it, if no
    // signal did; to cancel a call that is over does nothing.
    // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
    pthread_kill(waiter_.native_handle(), SIGTERM);
    waiter_.join();
  }
  CancelOnSignal(const CancelOnSignal&) = delete;
  CancelOnSignal& operator=(const CancelOnSignal&) = delete;

 private:
  std::thread waiter_;
};

}  // namespace

Client::Client(const std::string& address, std::chrono::milliseconds timeout)
    : address_(address), timeout_(timeout) {}

v1::Agent::Stub& Client::Stub() {
  if (!stub_) {
    stub_ = v1::Agent::NewStub(
        grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
  }
  return *stub_;
}

template <typename Request, typename Response>
CallResult<Response> Client::Call(Method<Request, Response> method,
                                  const Request& request,
                                  std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  Response response;
  const grpc::Status status = (Stub().*method)(&context, request, &response);
  if (status.ok()) return response;
  return tl::unexpected(ErrorOf(status, context));
}

CallResult<v1::ApplyResponse> Client::Apply(const v1::ApplyRequest& request) {
  const std::chrono::milliseconds wait(
      google::protobuf::util::TimeUtil::DurationToMilliseconds(request.wait()));
  return Call(&v1::Agent::Stub::Apply, request, timeout_ + wait);
}

CallResult<v1::DiffResponse> Client::Diff(const v1::DiffRequest& request) {
  return Call(&v1::Agent::Stub::Diff, request, timeout_);
}

CallResult<v1::GetResponse> Client::Get() {
  return Call(&v1::Agent::Stub::Get, v1::GetRequest(), timeout_);
}

CallResult<v1::StatusResponse> Client::Status() {
  return Call(&v1::Agent::Stub::Status, v1::StatusRequest(), timeout_);
}

CallResult<v1::TraceResponse> Client::Trace(const v1::TraceRequest& request) {
  return Call(&v1::Agent::Stub::Trace, request, timeout_);
}

CallResult<v1::CleanupResponse> Client::Cleanup(
    const v1::CleanupRequest& request) {
  return Call(&v1::Agent::Stub::Cleanup, request, timeout_);
}

CallResult<v1::DrainResponse> Client::Drain(const v1::DrainRequest& request) {
  return Call(&v1::Agent::Stub::Drain, request, timeout_);
}

CallResult<v1::UndrainResponse> Client::Undrain(
    const v1::UndrainRequest& request) {
  return Call(&v1::Agent::Stub::Undrain, request, timeout_);
}

CallResult<v1::PauseResponse> Client::Pause(const v1::PauseRequest& request) {
  return Call(&v1::Agent::Stub::Pause, request, timeout_);
}

CallResult<v1::ResumeResponse> Client::Resume() {
  return Call(&v1::Agent::Stub::Resume, v1::ResumeRequest(), timeout_);
}

CallResult<v1::ConnectionsResponse> Client::Connections(
    const v1::ConnectionsRequest& request) {
  return Call(&v1::Agent::Stub::Connections, request, timeout_);
}

CallResult<v1::EventsResponse> Client::Events(
    const v1::EventsRequest& request) {
  return Call(&v1::Agent::Stub::Events, request, timeout_);
}

CallResult<v1::ConfirmResponse> Client::Confirm(
    const v1::ConfirmRequest& request) {
  return Call(&v1::Agent::Stub::Confirm, request, timeout_);
}

CallResult<v1::CancelConfirmResponse> Client::CancelConfirm(
    const v1::CancelConfirmRequest& request) {
  return Call(&v1::Agent::Stub::CancelConfirm, request, timeout_);
}

CallResult<v1::HistoryResponse> Client::History(
    const v1::HistoryRequest& request) {
  return Call(&v1::Agent::Stub::History, request, timeout_);
}

CallResult<v1::ApplyResponse> Client::Rollback(
    const v1::RollbackRequest& request) {
  const std::chrono::milliseconds wait(
      google::protobuf::util::TimeUtil::DurationToMilliseconds(request.wait()));
  return Call(&v1::Agent::Stub::Rollback, request, timeout_ + wait);
}

CallResult<void> Client::Watch(
    const std::function<void(const v1::WatchResponse&)>& handler) {
  const StopSignals signals;
  grpc::ClientContext context;
  const CancelOnSignal cancel(signals, context);
  const auto reader = Stub().Watch(&context, v1::WatchRequest());
  v1::WatchResponse response;
  while (reader->Read(&response)) handler(response);
  const grpc::Status status = reader->Finish();
  if (status.error_code() == grpc::StatusCode::CANCELLED) return {};
  if (status.ok()) {
    return tl::unexpected(
        CallError{ExitCode::kNoAgent, "the agent ended the stream", {}});
  }
  return tl::unexpected(ErrorOf(status, context));
}

CallError Client::ErrorOf(const grpc::Status& status,
                          const grpc::ClientContext& context) const {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {ExitCode::kNoAgent,
              NoAgentMessage(address_, SystemWords(status.error_message())),
              {}};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {ExitCode::kNoAgent,
              "the agent at " + address_ +
                  " did not answer in time; give it longer with --timeout, or "
                  "see \"journalctl -u uplinkd\"",
              {}};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {ExitCode::kRefused,
              "what answers at " + address_ +
                  " does not know this request: is it uplinkd, and of this "
                  "version?",
              {}};
    default:
      return {ExitCode::kRefused, status.error_message(),
              ViolationsOf(context)};
  }
}

}  // namespace uplinkd
