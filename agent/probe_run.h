// SocketRun: what the runs of all kinds of probes share.
//
// One descriptor that is waited for, a deadline, and one result. Handlers hold
// the run alive, so that a run whose owner let go of it ends quietly.
#ifndef UPLINKD_AGENT_PROBE_RUN_H_
#define UPLINKD_AGENT_PROBE_RUN_H_

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "agent/probe.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

class SocketRun : public std::enable_shared_from_this<SocketRun> {
 public:
  SocketRun(asio::io_context& context, const ProbeOrder& order, ProbeDone done);
  SocketRun(const SocketRun&) = delete;
  SocketRun& operator=(const SocketRun&) = delete;
  virtual ~SocketRun() = default;

  // Starts soon, from the io_context.
  void Begin();
  // No result any more.
  void Cancel();

 protected:
  // Opens what is needed and asks. A failure is the result.
  virtual Result<void> Ask() = 0;
  // The descriptor became so, after it was waited for.
  virtual void OnReadable() {}
  virtual void OnWritable() {}

  // From now on `fd` is the descriptor that is waited for.
  void Own(UniqueFd fd);
  int fd() { return descriptor_.native_handle(); }
  // Each calls its function above once.
  void AwaitReadable();
  void AwaitWritable();

  // The result; only the first counts.
  void Answered();
  void Failed(std::string fault);
  bool ended() const { return ended_; }

  // A datagram of the descriptor into `buffer`: its size, or nothing if there
  // is none, and then it is waited for. A fault of the socket is the result.
  std::size_t Receive(void* buffer, std::size_t size);

  const ProbePath& path() const { return path_; }

 private:
  void Start();
  void Finish(ProbeResult result);
  void End();

  asio::io_context& context_;
  ProbePath path_;
  std::chrono::milliseconds timeout_;
  ProbeDone done_;
  asio::posix::stream_descriptor descriptor_;
  asio::steady_timer deadline_;
  std::chrono::steady_clock::time_point began_;
  bool ended_ = false;
};

// The run of each kind.
using SocketRunPointer = std::shared_ptr<SocketRun>;
SocketRunPointer MakeIcmpRun(asio::io_context& context, const ProbeOrder& order,
                             const IcmpProbe& probe, ProbeDone done);
SocketRunPointer MakeTcpRun(asio::io_context& context, const ProbeOrder& order,
                            const TcpProbe& probe, ProbeDone done);
SocketRunPointer MakeDnsRun(asio::io_context& context, const ProbeOrder& order,
                            const DnsProbe& probe, ProbeDone done);
SocketRunPointer MakeHttpRun(asio::io_context& context, const ProbeOrder& order,
                             const HttpProbe& probe, ProbeDone done);
SocketRunPointer MakeArpRun(asio::io_context& context, const ProbeOrder& order,
                            const ArpProbe& probe, ProbeDone done);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PROBE_RUN_H_
