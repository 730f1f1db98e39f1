#include "exporters/http_server.h"

#include <cstddef>

#include "exporters/bounded_tasks.h"
#include "exporters/http_stream.h"

namespace uplinkd {
namespace {

// A router is scraped by one or two servers; the rest is for slow clients.
constexpr std::size_t kMaxConnections = 64;

}  // namespace

HttpServer::HttpServer() {
  new_task_queue = [this] {
    return new BoundedTasks(kMaxConnections, [this] { open_.EndSlow(); });
  };
}

bool HttpServer::process_and_close_socket(socket_t fd) {
  OpenSockets::Entry entry(open_, fd);
  HttpStream stream(fd);
  if (!stream.Receive()) return false;
  entry.Answering();
  // One answer per connection: an idle one would hold a thread.
  constexpr bool kCloses = true;
  bool closed_by_client = false;
  return process_request(stream, kCloses, closed_by_client, nullptr);
}

}  // namespace uplinkd
