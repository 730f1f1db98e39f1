// SmallDisk: a file system of a few blocks that can be full or read-only.
//
// A tmpfs at a directory of the lab, gone with the object. Needs root.
#ifndef UPLINKD_TESTS_LAB_SMALL_DISK_H_
#define UPLINKD_TESTS_LAB_SMALL_DISK_H_

#include <filesystem>
#include <string>

namespace uplinkd::lab {

class SmallDisk {
 public:
  explicit SmallDisk(std::filesystem::path directory);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  // False if the kernel refuses.
  bool SetReadOnly(bool read_only) const;
  // Writes until there is no room for another byte.
  void Fill() const;
  void MakeRoom() const;

 private:
  std::filesystem::path directory_;
  bool mounted_ = false;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_SMALL_DISK_H_
