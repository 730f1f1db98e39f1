// RequestLog: one line for every change that somebody asked for, with who, what
// and how it ended. Never left out, however many there are.
#ifndef UPLINKD_AGENT_REQUEST_LOG_H_
#define UPLINKD_AGENT_REQUEST_LOG_H_

#include <cstdint>
#include <string>

#include "agent/drain_ledger.h"
#include "agent/spec_ledger.h"
#include "reconciler/reconcile.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

// Whoever asks inside this process. Others are the name of a caller
// (agent/caller.h), and the path of a spec file.
inline constexpr const char* kClient = "client";

// The spec of the last run is followed.
void LogRestored(const StoredSpec& stored);
// A spec was offered by `from`: `spec` as it was offered.
void LogOffer(const std::string& from, const Spec& spec,
              const Result<SpecLedger::Accepted>& accepted);
// A spec that is none was offered.
void LogRefusal(const std::string& from, const std::string& why);
void LogDrain(const std::string& from, std::uint64_t generation,
              const std::string& uplink,
              const Result<std::optional<DrainLedger::WallTime>>& drain);
void LogUndrain(const std::string& from, std::uint64_t generation,
                const std::string& uplink, const Result<void>& undrained);
void LogCleanUp(const std::string& from, std::uint64_t generation,
                const Result<Report>& report);

// The agent keeps its hands off the kernel from now on, or no longer.
void LogPause(bool begun, const std::string& words, std::uint64_t generation);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_REQUEST_LOG_H_
