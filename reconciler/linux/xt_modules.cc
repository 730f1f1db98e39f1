#include "reconciler/linux/xt_modules.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <string>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/linux/xt_error.h"

namespace uplinkd {
namespace {

// The kernel's name of the module.
std::string ModuleOf(Family family) {
  return family == Family::kIpv4 ? "ip_tables" : "ip6_tables";
}

void LoadModule(Family family) {
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

}  // namespace

std::string XtNamesPath(Family family) {
  // Of the calling thread's network namespace, which may not be its process's.
  return "/proc/thread-self/net/" + ModuleOf(family) + "_names";
}

Result<std::set<std::string>> ReadXtTableNames(Family family) {
  const std::string path = XtNamesPath(family);
  const auto failed = [&path] {
    return tl::unexpected(XtError("cannot read " + path, errno));
  };
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failed();
  std::array<char, 1024> text;  // the kernel knows five tables
  const ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) return failed();
  std::istringstream lines(
      std::string(text.data(), static_cast<std::size_t>(size)));
  std::set<std::string> names;
  for (std::string name; std::getline(lines, name);) names.insert(name);
  return names;
}

void LoadXtModules() {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (access(XtNamesPath(family).c_str(), F_OK) != 0) LoadModule(family);
  }
}

}  // namespace uplinkd
