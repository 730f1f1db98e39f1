#include "agent/access_log.h"

#include <grpc/support/log.h>
#include <spdlog/fmt/fmt.h>

#include <mutex>

#include "agent/log_limiter.h"
#include "agent/logging.h"

namespace uplinkd {
namespace {

// One for the process, as gRPC's log is.
class Limiter {
 public:
  void Write(const std::string& message, const LogFields& fields) {
    const std::lock_guard lock(mutex_);
    if (limiter_.MaySpeak()) Log(spdlog::level::warn, message, fields);
  }
  void Settle() {
    const std::lock_guard lock(mutex_);
    limiter_.Settle();
  }

 private:
  std::mutex mutex_;
  LogLimiter limiter_{"refusals of clients"};  // guarded by mutex_
};

Limiter& TheLimiter() {
  static Limiter limiter;
  return limiter;
}

void LogRefused(const Caller& caller, std::string_view rpc, const char* result,
                const std::string& why) {
  TheLimiter().Write("refused a request: " + OnOneLine(why),
                     {{"event", "access"},
                      {"from", caller.name},
                      {"request", rpc},
                      {"result", result},
                      {"error", why}});
}

// gRPC repeats where it was and OpenSSL's number; the last words count.
std::string LastWords(std::string_view message) {
  const std::size_t end = message.find_last_not_of("., \n");
  message = message.substr(0, end + 1);
  const std::size_t colon = message.rfind("::");
  return std::string(
      colon == std::string_view::npos ? message : message.substr(colon + 2));
}

void TakeGrpcLine(gpr_log_func_args* line) {
  const std::string_view message = line->message;
  if (message.find("Handshake failed") != std::string_view::npos) {
    LogTurnedAway("a client over TCP",
                  "its TLS handshake failed: " + LastWords(message));
    return;
  }
  TheLimiter().Write("gRPC: " + OnOneLine(message), {});
}

}  // namespace

void LogDenied(const Caller& caller, std::string_view rpc,
               const std::string& why) {
  LogRefused(caller, rpc, "denied", why);
}

void LogHeldBack(const Caller& caller, std::string_view rpc,
                 const std::string& why) {
  LogRefused(caller, rpc, "held-back", why);
}

void LogTurnedAway(const std::string& who, const std::string& why) {
  TheLimiter().Write(
      fmt::format("turned away {}: {}", OnOneLine(who), OnOneLine(why)),
      {{"event", "access"},
       {"from", who},
       {"result", "turned-away"},
       {"error", why}});
}

void SettleAccessLog() {
  TheLimiter().Settle();
}

void TakeOverGrpcLog() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function(TakeGrpcLine);
}

}  // namespace uplinkd
