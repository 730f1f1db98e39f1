#include "reconciler/linux/xt_modules.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace uplinkd {
namespace {

// The kernel's name of the module.
std::string ModuleOf(Family family) {
  return family == Family::kIpv4 ? "ip_tables" : "ip6_tables";
}

}  // namespace

std::string XtNamesPath(Family family) {
  // Of the calling thread's network namespace, which may not be its process's.
  return "/proc/thread-self/net/" + ModuleOf(family) + "_names";
}

void LoadXtModule(Family family) {
  const std::string module = ModuleOf(family);
  std::array<const char*, 4> arguments{"modprobe", "-q", module.c_str(),
                                       nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = 0;
  if (posix_spawn(&pid, "/sbin/modprobe", nullptr, nullptr,
                  const_cast<char* const*>(arguments.data()),
                  environment.data()) != 0) {
    return;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
}

void LoadXtModules() {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (access(XtNamesPath(family).c_str(), F_OK) != 0) LoadXtModule(family);
  }
}

}  // namespace uplinkd
