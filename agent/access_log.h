// AccessLog: one line for every client that was turned away, bounded.
//
// A storm of them must not fill the disk, so they share one limiter; what was
// left out is counted and told. gRPC's own complaints (a TLS handshake that
// failed) come here as well. Any thread.
#ifndef UPLINKD_AGENT_ACCESS_LOG_H_
#define UPLINKD_AGENT_ACCESS_LOG_H_

#include <string>
#include <string_view>

#include "agent/caller.h"

namespace uplinkd {

// Refused for want of a role.
void LogDenied(const Caller& caller, std::string_view rpc,
               const std::string& why);
// Held back by a limit.
void LogHeldBack(const Caller& caller, std::string_view rpc,
                 const std::string& why);
// Turned away before it could ask for anything.
void LogTurnedAway(const std::string& who, const std::string& why);

// Says what was left out, if a line may be written; to be called now and then.
void SettleAccessLog();

// From now on gRPC's lines go here. Call it before gRPC is used.
void TakeOverGrpcLog();

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_ACCESS_LOG_H_
