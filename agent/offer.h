// Offer: a valid spec that somebody wants to be followed, and on which terms.
#ifndef UPLINKD_AGENT_OFFER_H_
#define UPLINKD_AGENT_OFFER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "agent/confirm.h"
#include "agent/expected_plan.h"
#include "reconciler/spec.h"

namespace uplinkd {

// Whoever asks inside this process. Others are the name of a caller
// (agent/caller.h), and the path of a spec file.
inline constexpr const char* kClient = "client";
// Whoever acts when nobody else did.
inline constexpr const char* kAgent = "uplinkd";

struct Offer {
  Spec spec;
  std::uint64_t expected_generation = 0;  // 0: any
  std::string from = kClient;  // who offers it; or the path of its file
  std::optional<ConfirmTerms> confirm = std::nullopt;
  // The spec is that of this earlier generation.
  std::optional<std::uint64_t> back_to = std::nullopt;
  // Refuse it unless this is what there is to do.
  std::optional<ExpectedPlan> expected_plan = std::nullopt;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_OFFER_H_
