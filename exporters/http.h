// MetricsServer: serves /metrics over HTTP, from the last snapshot, and beside
// it the live page: "/", its files below "/page/", and "/state.json".
//
// Read-only: everything but GET and HEAD is refused, and the page may load
// nothing from elsewhere. Has threads of its own, and never waits for the
// kernel's owner: while that one is held up, scrapes get the last snapshot,
// which says when it was made. Slow clients cost a bounded number of threads
// and descriptors.
#ifndef UPLINKD_EXPORTERS_HTTP_H_
#define UPLINKD_EXPORTERS_HTTP_H_

#include <functional>
#include <memory>
#include <string>

#include "exporters/snapshot.h"
#include "reconciler/result.h"

namespace uplinkd {

class MetricsServer {
 public:
  // Called from the server's threads; must be safe there, and not wait.
  struct Sources {
    std::function<SnapshotPointer()> metrics;  // may return null: none yet
    // What the page shows, as JSON; see v1::LiveState. May return "": none yet.
    std::function<std::string()> live_state;
  };

  virtual ~MetricsServer() = default;  // stops serving and joins

  // `listen` is "127.0.0.1:9871" or "[::1]:9871"; port 0 takes a free one.
  // Fails with kInvalidArgument (not an address) or kUnavailable (the address
  // is in use, or not ours).
  static Result<std::unique_ptr<MetricsServer>> Start(const std::string& listen,
                                                      Sources sources);

  virtual int port() const = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_HTTP_H_
