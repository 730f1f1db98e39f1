#include "agent/probe_paths.h"

namespace uplinkd {

std::optional<ProbePath> ProbePathOf(const Spec& spec, const UplinkState& state,
                                     const Report& report) {
  const auto index = report.link_index.find(state.name);
  if (state.phase == UplinkPhase::kWaiting ||
      state.phase == UplinkPhase::kDisabled ||
      (!state.address && !state.address6) || index == report.link_index.end()) {
    return std::nullopt;
  }
  return ProbePath{state.interface,
                   index->second,
                   state.address,
                   state.gateway,
                   BypassMark(spec.mark_mask).value,
                   state.address6};
}

std::vector<ProbePath> ReadyPaths(const Spec& spec, const Report& report) {
  std::vector<ProbePath> paths;
  for (const UplinkState& state : report.uplinks) {
    if (state.phase != UplinkPhase::kReady) continue;
    if (auto path = ProbePathOf(spec, state, report)) {
      paths.push_back(*std::move(path));
    }
  }
  return paths;
}

}  // namespace uplinkd
