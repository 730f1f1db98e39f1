// MetricsServer: serves /metrics over HTTP, from the last snapshot, and beside
// it the live page: "/", its files below "/page/", and "/state.json".
//
// Read-only: everything but GET and HEAD is refused, and the page may load
// nothing from elsewhere. Has threads of its own, and never waits for the
// kernel's owner: while that one is held up, scrapes get the last snapshot,
// which says when it was made. What a client costs is bounded, whether it is
// slow or asks for much; see http_server.h and http_head.h. Ranges are not
// served: who asks for one gets the whole.
//
// On a loopback address only /metrics answers whoever calls this host by a name
// (Host: router.example); the rest answers 421 then, unless the name is
// "localhost". Else a page of another site, in a browser on this host, could
// make its own name stand for the loopback address and read the state. On other
// addresses every name is right: operators may have one for the router, and
// whoever reaches the address may read it anyway.
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

  // Ends every connection, stops serving and joins: at once, whoever asks.
  virtual ~MetricsServer() = default;

  // `listen` is "127.0.0.1:9871" or "[::1]:9871"; ":9871" and "*:9871" are
  // every address, of IPv6 and IPv4. Port 0 takes a free one. Fails with
  // kInvalidArgument (not an address; a name is none) or kUnavailable (the
  // address is in use, or not ours).
  static Result<std::unique_ptr<MetricsServer>> Start(const std::string& listen,
                                                      Sources sources);

  virtual int port() const = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_HTTP_H_
