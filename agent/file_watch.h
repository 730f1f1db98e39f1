// FileWatch: tells when the file at a path may have become another one.
//
// Watches every step of the path by inotify(7), so whatever takes the file's
// place is noticed: a rename over it (rsync, git, editors), a symbolic link on
// the way that is turned elsewhere (ConfigMaps), a directory that is moved, or
// comes later. What is written in place counts once its writer has closed it.
// Filesystems that others change over a network tell nothing. For one thread.
#ifndef UPLINKD_AGENT_FILE_WATCH_H_
#define UPLINKD_AGENT_FILE_WATCH_H_

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "reconciler/result.h"

namespace uplinkd {

class FileWatch {
 public:
  // Calls `changed` in `context`, soon after each change and sometimes without
  // one. Fails with the kernel's words if it cannot watch at all.
  static Result<std::unique_ptr<FileWatch>> Start(
      asio::io_context& context, const std::string& path,
      std::function<void()> changed);
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  // The names in a directory that matter to the path.
  struct Step {
    std::string directory;
    std::set<std::string> names;
  };

  FileWatch(asio::io_context& context, int inotify, std::string path,
            std::function<void()> changed);
  void FollowPath();
  void WaitForEvents();
  bool ReadEvents();
  bool Matters(int watch, std::uint32_t mask, const std::string& name) const;

  std::string path_;  // absolute
  std::function<void()> changed_;
  asio::posix::stream_descriptor inotify_;
  std::map<int, Step> steps_;  // by watch descriptor
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_FILE_WATCH_H_
