#include "exporters/metrics_text.h"

#include <utility>

namespace uplinkd {

MetricsText::MetricsText(Render render) : render_(std::move(render)) {}

MetricsText::Pointer MetricsText::Of(const SnapshotPointer& snapshot) {
  const std::lock_guard lock(mutex_);
  if (snapshot_ != snapshot) {
    text_ = std::make_shared<const std::string>(render_(*snapshot));
    snapshot_ = snapshot;
  }
  return text_;
}

}  // namespace uplinkd
