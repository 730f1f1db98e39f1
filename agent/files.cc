#include "agent/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

ErrorCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return ErrorCode::kResourceExhausted;
    default: return ErrorCode::kInternal;
  }
}

// "cannot write /var/lib/uplinkd/spec.json: No space left on device"
tl::unexpected<Error> FailFile(const char* verb, const std::string& path,
                               int error) {
  return Fail(CodeOf(error),
              std::string("cannot ") + verb + " " + path + ": " +
                  std::generic_category().message(error),
              error);
}

std::string DirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// A rename is on disk only when its directory is.
Result<void> SyncDirectory(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) return FailFile("sync", path, errno);
  return {};
}

Result<void> WriteAll(int fd, const std::string& path,
                      std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FailFile("write", path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fsync(fd) != 0) return FailFile("sync", path, errno);
  return {};
}

}  // namespace

Result<void> MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FailFile("create", path, error.value());
  return {};
}

Result<std::string> ReadFile(const std::string& path) {
  // A pipe without a writer would be waited for.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return FailFile("read", path, errno);
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return FailFile("read", path, errno);
  if (S_ISDIR(file.st_mode)) return FailFile("read", path, EISDIR);
  if (!S_ISREG(file.st_mode)) {
    return Fail(ErrorCode::kInternal, "cannot read " + path +
                                          ": it is a device, a pipe or a "
                                          "socket, and no file");
  }
  std::string content;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    if (count == 0) return content;
    if (count < 0) {
      if (errno == EINTR) continue;
      return FailFile("read", path, errno);
    }
    content.append(buffer.data(), static_cast<std::size_t>(count));
    if (content.size() > kMaxFileSize) return FailFile("read", path, EOVERFLOW);
  }
}

Result<void> ReplaceFile(const std::string& path, std::string_view content,
                         FileReaders readers) {
  // One writer per directory, so a fixed name is enough, and a leftover of a
  // crash is overwritten rather than left to pile up.
  const std::string temporary = path + ".new";
  {
    const UniqueFd fd(open(temporary.c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                           readers == FileReaders::kAll ? 0644 : 0640));
    if (!fd) return FailFile("create", temporary, errno);
    if (Result<void> written = WriteAll(fd.get(), temporary, content);
        !written) {
      unlink(temporary.c_str());
      return written;
    }
  }
  Result<void> moved = MoveFile(temporary, path);
  if (!moved) unlink(temporary.c_str());
  return moved;
}

Result<void> MoveFile(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return FailFile("replace", to, errno);
  }
  return SyncDirectory(DirectoryOf(to));
}

Result<void> MayRemoveIn(const std::string& directory) {
  if (access(directory.c_str(), W_OK | X_OK) == 0 || errno == ENOENT) return {};
  return FailFile("write", directory, errno);
}

Result<void> SetAside(const std::string& path) {
  return MoveFile(path, path + ".corrupt");
}

Result<void> RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return FailFile("remove", path, errno);
  }
  return SyncDirectory(DirectoryOf(path));
}

}  // namespace uplinkd
