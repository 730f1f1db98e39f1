// The TCP probe: a connection that stands is the answer.
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "agent/probe_run.h"
#include "agent/probe_socket.h"

namespace uplinkd {
namespace {

class TcpRun final : public SocketRun {
 public:
  TcpRun(asio::io_context& context, const ProbeOrder& order, TcpProbe probe,
         ProbeDone done)
      : SocketRun(context, order, std::move(done)), probe_(probe) {}

 private:
  Result<void> Ask() override {
    Result<UniqueFd> socket =
        OpenPinned(path(), probe_.target.family(), SOCK_STREAM, IPPROTO_TCP);
    if (!socket) return tl::unexpected(socket.error());
    Result<void> connected =
        ConnectTo(socket->get(), probe_.target, probe_.port);
    if (!connected) return connected;
    Own(std::move(*socket));
    AwaitWritable();
    return {};
  }

  void OnWritable() override {
    const Result<void> connected = ConnectionOutcome(fd());
    if (!connected) return Failed(connected.error().message);
    Answered();
  }

  TcpProbe probe_;
};

}  // namespace

SocketRunPointer MakeTcpRun(asio::io_context& context, const ProbeOrder& order,
                            const TcpProbe& probe, ProbeDone done) {
  return std::make_shared<TcpRun>(context, order, probe, std::move(done));
}

}  // namespace uplinkd
