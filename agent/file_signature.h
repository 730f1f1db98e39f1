// FileSignature: tells whether a file is still the one that it was.
#ifndef UPLINKD_AGENT_FILE_SIGNATURE_H_
#define UPLINKD_AGENT_FILE_SIGNATURE_H_

#include <sys/stat.h>

#include <compare>
#include <string>

namespace uplinkd {

// All zero: there is no such file, or it cannot be reached.
struct FileSignature {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  time_t changed = 0;  // its content or its inode
  long changed_ns = 0;

  friend auto operator<=>(const FileSignature&, const FileSignature&) = default;
};

inline FileSignature SignatureOf(const std::string& path) {
  struct stat there {};
  if (stat(path.c_str(), &there) != 0) return {};
  return {there.st_dev, there.st_ino, there.st_size, there.st_ctim.tv_sec,
          there.st_ctim.tv_nsec};
}

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_FILE_SIGNATURE_H_
