// Gate: every request comes through here before anything is done for it.
//
//   who calls, which rpc  ->  Admission, or a status that says why not
//
// Asks for the role that the rpc needs (agent/rpc_rules.h), and keeps each
// caller within limits, so that none of them costs the others anything. Every
// function may be called from any thread.
#ifndef UPLINKD_AGENT_GATE_H_
#define UPLINKD_AGENT_GATE_H_

#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/caller.h"
#include "agent/rpc_rules.h"
#include "agent/token_bucket.h"

namespace uplinkd {

// For each caller; see docs/operations.md. A status costs the agent 0.1 ms and
// a pass some ms, so that one caller's share stays at some percent of a core.
struct GateLimits {
  TokenBucket::Rate requests{2000, 500};  // tokens of RpcRule::cost
  TokenBucket::Rate changes{60, 10};
  int at_once = 8;  // requests under way; each holds a thread
  int streams = 1024;
};

class Gate {
 public:
  using Clock = std::function<TokenBucket::Time()>;

  // Leave to go on; counts as under way until it goes.
  class Admission {
   public:
    Admission(Admission&& other) noexcept;
    Admission& operator=(Admission&&) = delete;
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    ~Admission();

    explicit operator bool() const { return status_.ok(); }
    const grpc::Status& status() const { return status_; }  // why not
    const Caller& caller() const { return caller_; }

   private:
    friend class Gate;
    Admission(Gate* gate, Caller caller, bool stream, grpc::Status status);

    Gate* gate_;  // null: nothing to give back
    Caller caller_;
    bool stream_;
    grpc::Status status_;
  };

  Gate() : Gate(GateLimits{}) {}
  explicit Gate(
      GateLimits limits, Clock clock = [] {
        return std::chrono::steady_clock::now().time_since_epoch();
      });
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // PERMISSION_DENIED: the caller has not the role; it is logged.
  // RESOURCE_EXHAUSTED: one limit or another, with when to try again. The gate
  // must outlive the admission.
  Admission Admit(Caller caller, std::string_view rpc);

 private:
  struct UnderWay {
    int calls = 0;
    int streams = 0;
  };

  grpc::Status Count(const Caller& caller, const RpcRule& rule);
  void Leave(const Caller& caller, bool stream);

  const GateLimits limits_;
  const Clock clock_;
  std::mutex mutex_;
  TokenBuckets requests_;                      // guarded by mutex_
  TokenBuckets changes_;                       // guarded by mutex_
  std::map<std::string, UnderWay> under_way_;  // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_GATE_H_
