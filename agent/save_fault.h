// SaveFault: why the last attempt to save something failed, until one succeeds.
#ifndef UPLINKD_AGENT_SAVE_FAULT_H_
#define UPLINKD_AGENT_SAVE_FAULT_H_

#include <optional>

#include "reconciler/result.h"

namespace uplinkd {

using SaveFault = std::optional<Error>;  // none: what is in memory is on disk

inline SaveFault SaveFaultOf(const Result<void>& saved) {
  return saved ? SaveFault() : SaveFault(saved.error());
}

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SAVE_FAULT_H_
