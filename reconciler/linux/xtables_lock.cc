#include "reconciler/linux/xtables_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>

#include "reconciler/linux/xt_error.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLastPause{10};

// As the iptables programs open it.
UniqueFd OpenLockFile(const std::string& path) {
  return UniqueFd(
      open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
}

Error OpenError(const std::string& path) {
  Error error = XtError("cannot open the xtables lock " + path, errno);
  if (error.system_errno == EACCES) {
    error.message += "; tmpfiles.d/uplinkd.conf lets the group of uplinkd in";
  }
  return error;
}

std::string Seconds(milliseconds time) {
  return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + " s"
                                  : std::to_string(time.count()) + " ms";
}

// The process that holds the flock() on `fd`, as far as this /proc shows it.
std::optional<int> HolderOf(int fd) {
  struct stat file {};
  if (fstat(fd, &file) != 0) return std::nullopt;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    int pid = 0;
    unsigned int major_number = 0;
    unsigned int minor_number = 0;
    unsigned long inode = 0;
    // Waiters have "->" in the second place.
    if (std::sscanf(line.c_str(), "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid,
                    &major_number, &minor_number, &inode) == 4 &&
        inode == file.st_ino && major_number == major(file.st_dev) &&
        minor_number == minor(file.st_dev)) {
      return pid;
    }
  }
  return std::nullopt;
}

// "iptables (pid 4711)", or "another program".
std::string DescribeHolder(int fd) {
  const std::optional<int> pid = HolderOf(fd);
  if (!pid || *pid <= 0) return "another program";
  const std::string number = std::to_string(*pid);
  std::ifstream comm("/proc/" + number + "/comm");
  std::string program;
  if (!std::getline(comm, program)) program = "another program";
  return program + " (pid " + number + ")";
}

}  // namespace

std::string XtablesLockPath() {
  const char* path = std::getenv("XTABLES_LOCKFILE");
  return path != nullptr && *path != '\0' ? path : "/run/xtables.lock";
}

// ---- XtablesLock ----

XtablesLock::Held::Held(Held&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

XtablesLock::Held::~Held() {
  if (fd_ >= 0) flock(fd_, LOCK_UN);
}

Result<XtablesLock::Held> XtablesLock::Acquire(milliseconds timeout) {
  const std::string path = XtablesLockPath();
  if (auto opened = OpenCurrentFile(path); !opened) {
    return tl::unexpected(opened.error());
  }
  const auto start = steady_clock::now();
  nanoseconds pause = kFirstPause;
  while (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) {
      return tl::unexpected(XtError("cannot lock " + path, errno));
    }
    const nanoseconds left = timeout - (steady_clock::now() - start);
    if (left <= nanoseconds::zero()) {
      waits_.Observe(steady_clock::now() - start);
      ++timeouts_;
      return Fail(ErrorCode::kDeadlineExceeded,
                  "the xtables lock " + path + " is held by " +
                      DescribeHolder(file_.get()) + " for more than " +
                      Seconds(timeout));
    }
    std::this_thread::sleep_for(std::min(pause, left));
    pause = std::min<nanoseconds>(pause * 2, kLastPause);
  }
  waits_.Observe(steady_clock::now() - start);
  return Held(file_.get());
}

// Somebody may have removed the file and made a new one: whoever comes now
// locks the new one.
Result<void> XtablesLock::OpenCurrentFile(const std::string& path) {
  if (file_) {
    struct stat ours {};
    struct stat current {};
    if (fstat(file_.get(), &ours) == 0 && stat(path.c_str(), &current) == 0 &&
        ours.st_dev == current.st_dev && ours.st_ino == current.st_ino) {
      return {};
    }
  }
  UniqueFd file = OpenLockFile(path);
  if (!file) return tl::unexpected(OpenError(path));
  file_ = std::move(file);
  return {};
}

// ---- LockWatch ----

Result<std::unique_ptr<LockWatch>> LockWatch::Open() {
  UniqueFd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) {
    return tl::unexpected(XtError("cannot watch the xtables lock", errno));
  }
  auto watch = std::unique_ptr<LockWatch>(new LockWatch(std::move(inotify)));
  if (auto armed = watch->Arm(); !armed) return tl::unexpected(armed.error());
  return watch;
}

Result<void> LockWatch::Arm() {
  constexpr std::uint32_t kEvents = IN_CLOSE_NOWRITE | IN_CLOSE_WRITE |
                                    IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
  const std::string path = XtablesLockPath();
  int watch = inotify_add_watch(inotify_.get(), path.c_str(), kEvents);
  if (watch < 0 && errno == ENOENT) {
    if (!OpenLockFile(path)) return tl::unexpected(OpenError(path));
    watch = inotify_add_watch(inotify_.get(), path.c_str(), kEvents);
  }
  if (watch < 0) {
    return tl::unexpected(
        XtError("cannot watch the xtables lock " + path, errno));
  }
  // Events of a file that has been replaced mean nothing any more.
  const int before = std::exchange(watch_, watch);
  if (before >= 0 && before != watch) {
    inotify_rm_watch(inotify_.get(), before);
  }
  return {};
}

bool LockWatch::Drain() {
  constexpr std::uint32_t kReplaced =
      IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED;
  bool something = false;
  bool replaced = false;
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      const bool overflow = (event->mask & IN_Q_OVERFLOW) != 0;
      if (event->wd == watch_ || overflow) {
        something = true;
        replaced = replaced || (event->mask & kReplaced) != 0;
      }
      at += sizeof(inotify_event) + event->len;
    }
  }
  // If there is no file to watch now, the poll still finds what changes.
  if (replaced) static_cast<void>(Arm());
  return something;
}

}  // namespace uplinkd
