// HttpServer: the HTTP library's server, with bounds on what a client costs.
//
// At most 64 connections are open; each is for one request, which has 2 s to
// arrive (http_stream.h), and for its answer, which has 5 s to be taken. While
// all places are taken, those are freed that a slow client holds. The rest
// wait in the kernel.
#ifndef UPLINKD_EXPORTERS_HTTP_SERVER_H_
#define UPLINKD_EXPORTERS_HTTP_SERVER_H_

#include <httplib.h>

#include "exporters/open_sockets.h"

namespace uplinkd {

class HttpServer final : public httplib::Server {
 public:
  HttpServer();

  // Ends every connection, and no other is served from now on.
  void EndConnections() { open_.EndAll(); }

 private:
  // Called by a thread per connection.
  bool process_and_close_socket(socket_t fd) override;

  OpenSockets open_;
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_HTTP_SERVER_H_
