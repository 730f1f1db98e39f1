#include "tests/lab/point_to_point.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/lab/process.h"

namespace uplinkd::lab {
namespace {

Result<UniqueFd> MakeLink(const Namespace& where, const std::string& name) {
  Result<UniqueFd> made = Fail(ErrorCode::kInternal, "not tried");
  where.Run([&] {
    UniqueFd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (fd.get() < 0 || ioctl(fd.get(), TUNSETIFF, &request) != 0) {
      made = Fail(ErrorCode::kUnavailable, "tun link " + name, errno);
      return;
    }
    made = std::move(fd);
  });
  if (!made) return made;
  const CommandResult up = Shell(where, "ip link set " + name + " up");
  if (!up.Ok()) return Fail(ErrorCode::kUnavailable, up.output);
  return made;
}

// One packet, if there is one. What does not fit into the other end's queue is
// lost, as on any line.
void CarryOne(int from, int to) {
  thread_local std::array<char, 65536> packet{};
  const ssize_t size = read(from, packet.data(), packet.size());
  if (size <= 0) return;
  static_cast<void>(!write(to, packet.data(), static_cast<std::size_t>(size)));
}

}  // namespace

PointToPointLine::PointToPointLine(UniqueFd here, UniqueFd there)
    : here_(std::move(here)),
      there_(std::move(there)),
      thread_([this] { Carry(); }) {}

PointToPointLine::~PointToPointLine() {
  stop_ = true;
  thread_.join();
}

Result<std::unique_ptr<PointToPointLine>> PointToPointLine::Connect(
    const Namespace& here, const Namespace& there, const std::string& name) {
  Result<UniqueFd> near = MakeLink(here, name);
  if (!near) return tl::unexpected(near.error());
  Result<UniqueFd> far = MakeLink(there, name);
  if (!far) return tl::unexpected(far.error());
  return std::unique_ptr<PointToPointLine>(
      new PointToPointLine(std::move(*near), std::move(*far)));
}

void PointToPointLine::Carry() {
  constexpr int kPatience = 20;  // milliseconds, until `stop_` is looked at
  std::array<pollfd, 2> ends = {pollfd{here_.get(), POLLIN, 0},
                                pollfd{there_.get(), POLLIN, 0}};
  while (!stop_) {
    if (poll(ends.data(), ends.size(), kPatience) <= 0) continue;
    if (ends[0].revents != 0) CarryOne(here_.get(), there_.get());
    if (ends[1].revents != 0) CarryOne(there_.get(), here_.get());
  }
}

}  // namespace uplinkd::lab
