#include "agent/probe_run.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <asio/post.hpp>
#include <cerrno>
#include <utility>
#include <variant>

#include "agent/probe_socket.h"

namespace uplinkd {
namespace {

// The owner's end of a run.
class Handle final : public ProbeRun {
 public:
  explicit Handle(SocketRunPointer run) : run_(std::move(run)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override { run_->Cancel(); }

 private:
  SocketRunPointer run_;
};

// One overload per kind of probe.
struct RunMaker {
  SocketRunPointer operator()(const IcmpProbe& probe) {
    return MakeIcmpRun(context, order, probe, std::move(done));
  }
  SocketRunPointer operator()(const TcpProbe& probe) {
    return MakeTcpRun(context, order, probe, std::move(done));
  }
  SocketRunPointer operator()(const DnsProbe& probe) {
    return MakeDnsRun(context, order, probe, std::move(done));
  }
  SocketRunPointer operator()(const HttpProbe& probe) {
    return MakeHttpRun(context, order, probe, std::move(done));
  }
  SocketRunPointer operator()(const ArpProbe& probe) {
    return MakeArpRun(context, order, probe, std::move(done));
  }
  asio::io_context& context;
  const ProbeOrder& order;
  ProbeDone done;
};

}  // namespace

SocketRun::SocketRun(asio::io_context& context, const ProbeOrder& order,
                     ProbeDone done)
    : context_(context),
      path_(order.path),
      timeout_(order.timeout),
      done_(std::move(done)),
      descriptor_(context),
      deadline_(context) {}

void SocketRun::Begin() {
  asio::post(context_, [self = shared_from_this()] {
    if (!self->ended_) self->Start();
  });
}

void SocketRun::Start() {
  began_ = std::chrono::steady_clock::now();
  deadline_.expires_at(began_ + timeout_);
  deadline_.async_wait([self = shared_from_this()](const asio::error_code&) {
    self->Failed("no answer within " + std::to_string(self->timeout_.count()) +
                 "ms");
  });
  if (const Result<void> asked = Ask(); !asked) Failed(asked.error().message);
}

void SocketRun::Cancel() {
  done_ = nullptr;
  End();
}

void SocketRun::End() {
  ended_ = true;
  asio::error_code ignored;
  deadline_.cancel(ignored);
  descriptor_.close(ignored);
}

void SocketRun::Own(UniqueFd fd) {
  // A duplicate, since the descriptor takes ownership without a way to fail.
  asio::error_code error;
  descriptor_.close(error);
  descriptor_.assign(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0), error);
  if (error) Failed("cannot wait for a socket: " + error.message());
}

void SocketRun::AwaitReadable() {
  descriptor_.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this()](const asio::error_code& error) {
        if (!error && !self->ended_) self->OnReadable();
      });
}

void SocketRun::AwaitWritable() {
  descriptor_.async_wait(
      asio::posix::stream_descriptor::wait_write,
      [self = shared_from_this()](const asio::error_code& error) {
        if (!error && !self->ended_) self->OnWritable();
      });
}

std::size_t SocketRun::Receive(void* buffer, std::size_t size) {
  const ssize_t got = recv(fd(), buffer, size, 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && errno != EAGAIN && errno != EINTR) {
    Failed(SocketFault("").value().message);
  } else {
    AwaitReadable();
  }
  return 0;
}

void SocketRun::Answered() {
  Finish({true, std::chrono::steady_clock::now() - began_, ""});
}

void SocketRun::Failed(std::string fault) {
  Finish({false, {}, std::move(fault)});
}

void SocketRun::Finish(ProbeResult result) {
  if (ended_) return;
  End();
  if (const ProbeDone done = std::exchange(done_, nullptr)) {
    done(std::move(result));
  }
}

std::unique_ptr<ProbeRun> StartProbe(asio::io_context& context,
                                     const ProbeOrder& order, ProbeDone done) {
  SocketRunPointer run =
      std::visit(RunMaker{context, order, std::move(done)}, order.probe);
  run->Begin();
  return std::make_unique<Handle>(std::move(run));
}

}  // namespace uplinkd
