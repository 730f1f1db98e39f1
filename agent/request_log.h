// RequestLog: one line for every change that somebody asked for, with who, what
// and how it ended. Never left out, however many there are.
#ifndef UPLINKD_AGENT_REQUEST_LOG_H_
#define UPLINKD_AGENT_REQUEST_LOG_H_

#include <cstdint>
#include <string>

#include "agent/drain_ledger.h"
#include "agent/offer.h"
#include "agent/spec_ledger.h"
#include "reconciler/reconcile.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

// The spec of the last run is followed.
void LogRestored(const StoredSpec& stored);
void LogOffer(const Offer& offer, const Result<SpecLedger::Accepted>& accepted);
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
void LogPause(bool begun, const std::string& from, const std::string& words,
              std::uint64_t generation);

// ---- specs that are to be confirmed ----

// The spec of `generation` waits; `words` say for what.
void LogWaiting(const std::string& from, std::uint64_t generation,
                const std::string& id, const std::string& words);
// Somebody answered with `id`: `verb` is "confirm", "extend" or "cancel".
void LogAnswer(const std::string& from, std::uint64_t generation,
               const std::string& id, const std::string& verb,
               const Result<void>& answered);
// The spec before is followed again, as `generation`.
void LogRollBack(const std::string& from, std::uint64_t generation,
                 const std::string& why);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_REQUEST_LOG_H_
