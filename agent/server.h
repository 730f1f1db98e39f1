// Server: serves the agent's service on Unix sockets and over mutual TLS.
//
// With the standard health service and reflection. Who may do what is decided
// for each call, by who is at the other end: see agent/local_caller.h for Unix
// sockets, agent/roles.h for certificates, and agent/rpc_rules.h for what each
// role may do.
#ifndef UPLINKD_AGENT_SERVER_H_
#define UPLINKD_AGENT_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/access_options.h"
#include "agent/engine.h"
#include "reconciler/result.h"

namespace uplinkd {

class Server {
 public:
  virtual ~Server() = default;  // stops within a second; removes the sockets

  // Serves as `options` say. Fails as Listener::Open() does. Bad files for TLS
  // or roles are no failure, since nothing else of the agent needs them: they
  // are logged, and TCP is served once they are good. `engine` must outlive the
  // server. With TCP, AllowOnlyTls13() comes before.
  static Result<std::unique_ptr<Server>> Start(const AccessOptions& options,
                                               Engine& engine);

  // What the health service answers from now on; NOT_SERVING at first.
  virtual void SetHealthy(bool healthy) = 0;
  // Reads the file of the roles again, if there is one; logs how it went.
  virtual void ReloadRoles() = 0;
  // The ports of the TCP addresses, in order; none as long as TCP is not
  // served.
  virtual std::vector<std::uint16_t> TcpPorts() const = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SERVER_H_
