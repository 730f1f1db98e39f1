#include "cli/client.h"

#include <google/protobuf/util/time_util.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

namespace uplinkd {
namespace {

// Where the agent puts the violations of a spec that it refuses.
constexpr const char* kBadSpecKey = "uplinkd-bad-spec-bin";
constexpr std::string_view kTcp = "tcp://";
// As much as an agent sends: the plan of a large spec has some MiB.
constexpr int kMaxAnswer = 64 << 20;

// gRPC wraps the system's words in its own; the last part is what counts.
std::string SystemWords(const std::string& message) {
  const std::size_t colon = message.rfind(": ");
  return colon == std::string::npos ? message : message.substr(colon + 2);
}

bool IsTcp(const std::string& address) {
  return address.starts_with(kTcp);
}

std::string AdviceFor(const std::string& address, const std::string& words) {
  if (words == "Permission denied") {
    return "run it as root, or as a member of the socket's group";
  }
  if (!IsTcp(address)) {
    return "is it running? See \"systemctl status uplinkd\"; another socket "
           "is named with --address or UPLINKD_ADDRESS";
  }
  if (words == "certificate verify failed") {
    return "its certificate is not vouched for by --tls-ca, has ended, or is "
           "not for this address";
  }
  if (words == "Socket closed" || words == "Connection reset by peer") {
    return "it takes a certificate (--tls-certificate) that its "
           "--tls-client-ca vouches for and that has not ended; its log says "
           "what was wrong";
  }
  return "is it running, with --listen " + address + "?";
}

std::string NoAgentMessage(const std::string& address,
                           const std::string& words) {
  return "no agent answers at " + address + " (" + words +
         "): " + AdviceFor(address, words);
}

CallError Refused(std::string message) {
  return {ExitCode::kRefused, std::move(message), {}};
}

CallError LostAnswer(const std::string& words) {
  return {ExitCode::kNoAgent,
          "the answer was lost (" + words +
              "), and the request may have been done: see \"uplinkctl status\"",
          {}};
}

CallResult<std::string> ReadPem(const char* flag, const std::string& path) {
  if (path.empty()) {
    return tl::unexpected(
        Refused(std::string("over TCP the agent and its clients show each "
                            "other certificates: give ") +
                flag + " as well"));
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return tl::unexpected(Refused(std::string(flag) + ": cannot read " + path));
  }
  return text.str();
}

CallResult<std::shared_ptr<grpc::ChannelCredentials>> TlsCredentials(
    const ClientTls& tls) {
  grpc::SslCredentialsOptions options;
  const auto read = [](const char* flag, const std::string& path,
                       std::string& text) -> CallResult<void> {
    CallResult<std::string> pem = ReadPem(flag, path);
    if (!pem) return tl::unexpected(pem.error());
    text = *std::move(pem);
    return {};
  };
  if (auto it = read("--tls-ca", tls.ca, options.pem_root_certs); !it) {
    return tl::unexpected(it.error());
  }
  if (auto it =
          read("--tls-certificate", tls.certificate, options.pem_cert_chain);
      !it) {
    return tl::unexpected(it.error());
  }
  if (auto it = read("--tls-key", tls.key, options.pem_private_key); !it) {
    return tl::unexpected(it.error());
  }
  return grpc::SslCredentials(options);
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

Client::Client(const std::string& address, std::chrono::milliseconds timeout,
               ClientTls tls)
    : address_(address), timeout_(timeout), tls_(std::move(tls)) {}

CallResult<v1::Agent::Stub*> Client::Stub() {
  if (stub_) return stub_.get();
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      grpc::InsecureChannelCredentials();
  std::string target = address_;
  if (IsTcp(address_)) {
    auto made = TlsCredentials(tls_);
    if (!made) return tl::unexpected(made.error());
    credentials = *std::move(made);
    target = address_.substr(kTcp.size());
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswer);
  stub_ = v1::Agent::NewStub(
      grpc::CreateCustomChannel(target, credentials, arguments));
  return stub_.get();
}

template <typename Request, typename Response>
CallResult<Response> Client::Call(Method<Request, Response> method,
                                  const Request& request,
                                  std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  Response response;
  const CallResult<v1::Agent::Stub*> stub = Stub();
  if (!stub) return tl::unexpected(stub.error());
  const grpc::Status status = ((*stub)->*method)(&context, request, &response);
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
  const CallResult<v1::Agent::Stub*> stub = Stub();
  if (!stub) return tl::unexpected(stub.error());
  grpc::ClientContext context;
  const CancelOnSignal cancel(signals, context);
  const auto reader = (*stub)->Watch(&context, v1::WatchRequest());
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
                  " did not answer in time, and may still do what it was "
                  "asked; give it longer with --timeout, or see \"journalctl "
                  "-u uplinkd\"",
              {}};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {ExitCode::kRefused,
              "what answers at " + address_ +
                  " does not know this request: is it uplinkd, and of this "
                  "version?",
              {}};
    case grpc::StatusCode::PERMISSION_DENIED:
      return Refused("the agent refuses: " + status.error_message() +
                     (IsTcp(address_)
                          ? "; roles over TCP are in its file of --roles"
                          : "; operators are root and the members of the "
                            "socket's group"));
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      // gRPC's words, of an answer that was made and did not come.
      return status.error_message().starts_with("Sent message larger")
                 ? LostAnswer(status.error_message())
                 : Refused(status.error_message());
    // A transport has these as well, after the request was taken up.
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN: return LostAnswer(status.error_message());
    default:
      return {ExitCode::kRefused, status.error_message(),
              ViolationsOf(context)};
  }
}

}  // namespace uplinkd
