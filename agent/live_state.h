// LiveState: what the live page shows, as JSON.
//
// Made from what the engine has published, and never waits for it. Any thread.
#ifndef UPLINKD_AGENT_LIVE_STATE_H_
#define UPLINKD_AGENT_LIVE_STATE_H_

#include <chrono>
#include <cstddef>
#include <string>

#include "agent/bulletin.h"
#include "agent/event_log.h"

namespace uplinkd {

// A page has room for so many events, and a new spec can have a plan of
// hundreds of lines: `uplinkctl events` has more of them.
inline constexpr std::size_t kLiveEvents = 30;
inline constexpr int kLivePlanLines = 12;

// The v1::LiveState of this moment, in protobuf's JSON. "" if there is no such
// text: some name is not UTF-8.
std::string LiveStateJson(const Bulletin& bulletin, const EventLog& events,
                          std::chrono::system_clock::time_point now);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LIVE_STATE_H_
