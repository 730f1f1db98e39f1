// MetricsText: the text of the last snapshot, made once for all its scrapes.
//
// A snapshot does not change and its text depends on nothing else (metrics.h),
// so what is a copy of a string for a scrape is as fresh as the snapshot. For
// several threads: whoever comes while the text is made waits for it.
#ifndef UPLINKD_EXPORTERS_METRICS_TEXT_H_
#define UPLINKD_EXPORTERS_METRICS_TEXT_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "exporters/metrics.h"
#include "exporters/snapshot.h"

namespace uplinkd {

class MetricsText {
 public:
  using Pointer = std::shared_ptr<const std::string>;
  using Render = std::function<std::string(const MetricsSnapshot&)>;

  explicit MetricsText(Render render = RenderMetrics);

  // `snapshot` is not null.
  Pointer Of(const SnapshotPointer& snapshot);

 private:
  const Render render_;
  std::mutex mutex_;
  // Guarded by mutex_. Kept, so that no other gets its address.
  SnapshotPointer snapshot_;
  Pointer text_;  // of snapshot_
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_METRICS_TEXT_H_
