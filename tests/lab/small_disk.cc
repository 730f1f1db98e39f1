#include "tests/lab/small_disk.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace uplinkd::lab {
namespace {

constexpr const char* kOptions = "size=256k,mode=0755";
constexpr const char* kFiller = "filler";

}  // namespace

SmallDisk::SmallDisk(std::filesystem::path directory)
    : directory_(std::move(directory)) {
  std::filesystem::create_directories(directory_);
  mounted_ = mount("small-disk", directory_.c_str(), "tmpfs",
                   MS_NODEV | MS_NOSUID, kOptions) == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) umount2(directory_.c_str(), MNT_DETACH);
}

bool SmallDisk::SetReadOnly(bool read_only) const {
  unsigned long flags = MS_REMOUNT | MS_NODEV | MS_NOSUID;
  if (read_only) flags |= MS_RDONLY;
  return mount("small-disk", directory_.c_str(), "tmpfs", flags, kOptions) == 0;
}

void SmallDisk::Fill() const {
  const int fd = open((directory_ / kFiller).c_str(),
                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  constexpr std::array<char, 512> kBlock{};
  while (write(fd, kBlock.data(), kBlock.size()) > 0) {
  }
  close(fd);
}

void SmallDisk::MakeRoom() const {
  std::filesystem::remove(directory_ / kFiller);
}

}  // namespace uplinkd::lab
