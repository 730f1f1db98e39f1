#include "agent/removal_notice.h"

#include <variant>

namespace uplinkd {

std::vector<Outcome> RemovalNotice::Execute(std::span<const Step> steps) {
  std::vector<Mark> marks;
  for (const Step& step : steps) {
    const auto* remove = std::get_if<RemoveRule>(&step.change);
    if (remove != nullptr && remove->rule.mark) {
      marks.push_back(*remove->rule.mark);
    }
  }
  if (!marks.empty()) before_removal_(marks);
  return kernel_.Execute(steps);
}

}  // namespace uplinkd
