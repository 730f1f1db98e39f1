#include "agent/live_state.h"

#include <google/protobuf/util/json_util.h>

#include "agent/wire.h"

namespace uplinkd {
std::string LiveStateJson(const Bulletin& bulletin, const EventLog& events,
                          std::chrono::system_clock::time_point now) {
  v1::LiveState state;
  *state.mutable_time() = ToProto(now);
  if (const StatusPointer status = bulletin.status()) {
    *state.mutable_status() = *status;
  }
  const std::vector<EventPointer> latest = events.Latest(kLiveEvents);
  for (auto event = latest.rbegin(); event != latest.rend(); ++event) {
    v1::Event& shown = *state.add_events();
    shown = **event;
    ShortenPlan(shown, kLivePlanLines);
  }
  if (const TextPointer spec = bulletin.spec()) state.set_spec(*spec);
  if (const SnapshotPointer metrics = bulletin.metrics()) {
    *state.mutable_published() = ToProto(metrics->taken);
    for (const auto& [uplink, past] : metrics->past) {
      (*state.mutable_phase_since())[uplink] = ToProto(past.since);
    }
  }
  std::string text;
  const auto made = google::protobuf::util::MessageToJsonString(state, &text);
  return made.ok() ? text : "";
}

}  // namespace uplinkd
