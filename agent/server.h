// Server: serves the agent's service on Unix sockets.
//
// With the standard health service and reflection. Who may use it is said by
// the sockets' mode: the owner and the group.
#ifndef UPLINKD_AGENT_SERVER_H_
#define UPLINKD_AGENT_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "agent/engine.h"
#include "reconciler/result.h"

namespace uplinkd {

class Server {
 public:
  virtual ~Server() = default;  // stops within a second; removes the sockets

  // Makes the sockets' directories and the sockets, replacing those that a
  // dead process left behind. Fails with kAlreadyExists if somebody serves at
  // one of the paths, or something that is no socket is there. `engine` must
  // outlive the server. Call it while no other thread creates files: the
  // process's umask is changed for a moment.
  static Result<std::unique_ptr<Server>> Start(
      const std::vector<std::string>& sockets, Engine& engine);

  // What the health service answers from now on; NOT_SERVING at first.
  virtual void SetHealthy(bool healthy) = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SERVER_H_
