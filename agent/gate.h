// Gate: every request comes through here before anything is done for it.
//
//   who calls, which rpc  ->  Admission, or a status that says why not
//
// Asks for the role that the rpc needs (agent/rpc_rules.h), and keeps each
// caller within limits, so that none of them costs the others anything. A
// request counts whatever becomes of it. Every function may be called from any
// thread.
//
// A caller has places of its own for what is urgent, which its long waits never
// take. All callers together have no more than there are threads; readers have
// no more than half, and root takes none of these.
#ifndef UPLINKD_AGENT_GATE_H_
#define UPLINKD_AGENT_GATE_H_

#include <grpcpp/support/status.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "agent/caller.h"
#include "agent/rpc_rules.h"
#include "agent/token_bucket.h"

namespace uplinkd {

// For each caller; see docs/operations.md. A status costs the agent 0.1 ms and
// a pass some ms, so that one caller's share stays at some percent of a core.
struct GateLimits {
  TokenBucket::Rate requests{2000, 500};  // tokens of RpcRule::cost
  TokenBucket::Rate changes{60, 10};
  // Requests under way of a caller, by Place, and of all. Each holds a thread.
  int at_once = 8;
  int in_all = 64;
  int urgent_at_once = 4;
  int urgent_in_all = 16;
  int reflections_at_once = 2;
  int reflections_in_all = 8;
  int waiting_in_all = 32;  // of in_all, those that stay long
  int streams = 1024;

  // What all of these hold, and root besides.
  constexpr int Threads() const {
    return in_all + at_once + urgent_in_all + urgent_at_once +
           reflections_in_all + reflections_at_once;
  }
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

    // To be called before a wait that lasts as long as the caller likes.
    // RESOURCE_EXHAUSTED: too many of all callers wait so.
    grpc::Status StayLong();

    // Roles change. `role` says which one the caller has by now; it may be
    // called from any thread, as long as the admission lives.
    void Follow(std::function<Role()> role) { role_ = std::move(role); }
    // Whether the caller would be admitted again, by its role.
    bool Holds() const { return !role_ || role_() >= needed_; }

   private:
    friend class Gate;
    Admission(Gate* gate, Caller caller, const RpcRule& rule,
              grpc::Status status);

    Gate* gate_;  // null: nothing to give back
    Caller caller_;
    Place place_;
    Role needed_;
    bool long_ = false;
    std::function<Role()> role_;
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
  static constexpr std::size_t kPlaces = 4;
  using UnderWay = std::array<int, kPlaces>;  // by Place
  struct Share {
    int of_a_caller = 0;
    int of_all = 0;
  };

  Share ShareOf(Place place) const;
  grpc::Status CountRequest(const Caller& caller, const RpcRule& rule);
  grpc::Status TakePlace(const Caller& caller, const RpcRule& rule);
  grpc::Status StayLong(const Caller& caller);
  void Leave(const Caller& caller, Place place, bool stayed_long);
  // Adds to what is counted of all callers. With mutex_ held.
  void CountInAll(const Caller& caller, Place place, int change);

  const GateLimits limits_;
  const Clock clock_;
  std::mutex mutex_;
  TokenBuckets requests_;                      // guarded by mutex_
  TokenBuckets changes_;                       // guarded by mutex_
  std::map<std::string, UnderWay> under_way_;  // guarded by mutex_
  UnderWay in_all_{};                          // guarded by mutex_
  UnderWay of_readers_{};                      // guarded by mutex_
  int staying_long_ = 0;                       // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_GATE_H_
