#include "tests/linux/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace uplinkd {
namespace {

// Tests cannot go on without their namespace: better no result than a wrong
// one, or a change of the machine's own network.
[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::fprintf(stderr, "These tests need root (CAP_SYS_ADMIN).\n");
  std::abort();
}

int OpenOwn() {
  const int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (fd < 0) Die("open /proc/thread-self/ns/net");
  return fd;
}

std::string MakeLockFile() {
  std::string path = "/tmp/uplinkd-xtables-lock-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) Die("mkstemp");
  close(fd);
  setenv("XTABLES_LOCKFILE", path.c_str(), 1);
  return path;
}

}  // namespace

Netns::Netns() {
  const int before = OpenOwn();
  if (unshare(CLONE_NEWNET) != 0) Die("unshare(CLONE_NEWNET)");
  fd_ = OpenOwn();
  // Link-local addresses come seconds after their link, between two looks.
  Run("sysctl -qw net.ipv6.conf.default.addr_gen_mode=1");
  Run("ip link set lo up");
  if (setns(before, CLONE_NEWNET) != 0) Die("setns");
  close(before);
}

Netns::~Netns() {
  close(fd_);
}

std::string Netns::path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
}

InNetns::InNetns(const Netns& netns) : before_(OpenOwn()) {
  if (setns(netns.fd(), CLONE_NEWNET) != 0) Die("setns");
}

InNetns::~InNetns() {
  if (setns(before_, CLONE_NEWNET) != 0) Die("setns");
  close(before_);
}

CommandResult RunCommand(const std::string& command) {
  FILE* pipe = popen(("{ " + command + "\n} 2>&1").c_str(), "re");
  if (pipe == nullptr) Die("popen");
  CommandResult result;
  std::array<char, 4096> buffer{};
  std::size_t size = 0;
  while ((size = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    result.output.append(buffer.data(), size);
  }
  const int status = pclose(pipe);
  result.status =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string Run(const std::string& command) {
  CommandResult result = RunCommand(command);
  EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
  return result.output;
}

void AddVeth(const std::string& name, const Netns& peer,
             const std::string& peer_name) {
  Run("ip link add " + name + " type veth peer name " + peer_name + " netns " +
      peer.path());
  Run("ip link set " + name + " up");
  const InNetns inside(peer);
  Run("ip link set " + peer_name + " up");
}

void AddLink(const std::string& name, const std::string& address) {
  const std::string far = name + "-far";
  Run("ip link add " + name + " type veth peer name " + far +
      " && ip link set " + name + " up && ip link set " + far + " up");
  // The kernel tells of the carrier when it gets round to it, which must not be
  // in the middle of a test.
  Run("for i in $(seq 100); do test \"$(ip -br link show " + name +
      " | awk '{print $2}')\" = UP && exit; sleep 0.02; done; exit 1");
  if (!address.empty()) Run("ip addr add " + address + " dev " + name);
}

std::string ShowRouting() {
  return Run("ip -d -4 rule; ip -d -6 rule") +
         Run("ip -d -4 route show table all; ip -d -6 route show table all");
}

NetnsTest::NetnsTest() : lock_path_(MakeLockFile()), inside_(netns_) {
  // What reads and edits tables loads no modules; programs do so as they start.
  // Where they are built in, there is nothing to load.
  static const CommandResult loaded =
      RunCommand("modprobe -qa ip_tables ip6_tables");
}

NetnsTest::~NetnsTest() {
  unlink(lock_path_.c_str());
}

void NetnsTest::AddConnections(int count, const std::string& mark) {
  std::ostringstream command;
  for (int i = 0; i < count; ++i) {
    command << "conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport "
            << ++port_ << " --dport 53 --timeout 600 --mark " << mark
            << " >/dev/null 2>&1 && ";
  }
  uplinkd::Run(command.str() + "true");
}

}  // namespace uplinkd
