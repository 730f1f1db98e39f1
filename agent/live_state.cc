#include "agent/live_state.h"

#include <google/protobuf/util/json_util.h>

#include "agent/wire.h"

namespace uplinkd {
namespace {

void FillEvent(const v1::Event& event, v1::LiveEvent& message) {
  *message.mutable_event() = event;
  auto& plan = *message.mutable_event()->mutable_plan();
  if (plan.size() <= kLivePlanLines) return;
  const int left_out = plan.size() - kLivePlanLines;
  message.set_lines_left_out(static_cast<std::uint32_t>(left_out));
  plan.DeleteSubrange(kLivePlanLines, left_out);
}

}  // namespace

std::string LiveStateJson(const Bulletin& bulletin,
                          std::chrono::system_clock::time_point now) {
  v1::LiveState state;
  *state.mutable_time() = ToProto(now);
  if (const StatusPointer status = bulletin.status()) {
    *state.mutable_status() = *status;
  }
  const std::vector<EventPointer> events = bulletin.Latest(kLiveEvents);
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    FillEvent(**event, *state.add_events());
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
