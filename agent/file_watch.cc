#include "agent/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <list>
#include <system_error>
#include <utility>

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

// Writing as such is not among them: half a file is no file.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM |
                                  IN_CREATE | IN_DELETE | IN_ONLYDIR;
// path_resolution(7).
constexpr int kMostLinks = 40;

// The names to look up for `path`, directory by directory, through its
// symbolic links and as far as it exists.
std::map<std::string, std::set<std::string>> NamesOnTheWay(
    const fs::path& path) {
  std::map<std::string, std::set<std::string>> names;
  std::list<fs::path> ahead(path.begin(), path.end());
  fs::path here = "/";
  int links = 0;
  while (!ahead.empty()) {
    const fs::path name = ahead.front();
    ahead.pop_front();
    if (name.is_absolute()) {
      here = "/";
      continue;
    }
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      here = here.parent_path();
      continue;
    }
    names[here].insert(name);
    std::error_code error;
    const fs::path there = here / name;
    const fs::path target = fs::read_symlink(there, error);
    if (error) {
      here = there;  // no link; perhaps nothing, then nobody can be ahead
      continue;
    }
    if (++links > kMostLinks) break;
    ahead.insert(ahead.begin(), target.begin(), target.end());
  }
  return names;
}

// A file that is being made tells once more when it is closed.
bool IsBeingWritten(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  return fs::is_regular_file(status) && fs::hard_link_count(path, error) == 1;
}

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::Start(
    asio::io_context& context, const std::string& path,
    std::function<void()> changed) {
  const int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) {
    return Fail(
        ErrorCode::kResourceExhausted,
        "cannot watch " + path + ": " + std::generic_category().message(errno),
        errno);
  }
  std::unique_ptr<FileWatch> watch(
      new FileWatch(context, inotify, fs::absolute(path), std::move(changed)));
  watch->FollowPath();
  watch->WaitForEvents();
  return watch;
}

FileWatch::FileWatch(asio::io_context& context, int inotify, std::string path,
                     std::function<void()> changed)
    : path_(std::move(path)),
      changed_(std::move(changed)),
      inotify_(context, inotify) {}

void FileWatch::FollowPath() {
  std::map<int, Step> steps;
  for (auto& [directory, names] : NamesOnTheWay(path_)) {
    const int watch =
        inotify_add_watch(inotify_.native_handle(), directory.c_str(), kEvents);
    if (watch >= 0) steps[watch] = {directory, std::move(names)};
  }
  for (const auto& [watch, step] : steps_) {
    if (!steps.contains(watch)) {
      inotify_rm_watch(inotify_.native_handle(), watch);
    }
  }
  steps_ = std::move(steps);
}

void FileWatch::WaitForEvents() {
  inotify_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this](const asio::error_code& error) {
                        if (error) return;
                        if (ReadEvents()) {
                          FollowPath();
                          changed_();
                        }
                        WaitForEvents();
                      });
}

// True: one of them matters.
bool FileWatch::ReadEvents() {
  bool matters = false;
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (true) {
    const ssize_t size =
        read(inotify_.native_handle(), buffer.data(), buffer.size());
    if (size <= 0) return matters;
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      const std::string name = event->len > 0 ? event->name : "";
      if (Matters(event->wd, event->mask, name)) matters = true;
      at += sizeof(inotify_event) + event->len;
    }
  }
}

bool FileWatch::Matters(int watch, std::uint32_t mask,
                        const std::string& name) const {
  if ((mask & IN_Q_OVERFLOW) != 0) return true;
  const auto step = steps_.find(watch);
  if (step == steps_.end()) return false;
  if ((mask & IN_IGNORED) != 0) return true;  // the directory is gone
  if (!step->second.names.contains(name)) return false;
  return (mask & IN_CREATE) == 0 ||
         !IsBeingWritten(fs::path(step->second.directory) / name);
}

}  // namespace uplinkd
