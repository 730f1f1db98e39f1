#include "reconciler/kernel.h"

namespace uplinkd {

std::string_view StepResultName(StepResult result) {
  switch (result) {
    case StepResult::kDone: return "done";
    case StepResult::kAlreadySo: return "already-so";
    case StepResult::kConflict: return "conflict";
    case StepResult::kFailed: return "failed";
    case StepResult::kSkipped: return "skipped";
  }
  return "";
}

}  // namespace uplinkd
