// TemporaryDirectory: a directory of a test's own, removed with it.
#ifndef UPLINKD_TESTS_AGENT_TEMPORARY_DIRECTORY_H_
#define UPLINKD_TESTS_AGENT_TEMPORARY_DIRECTORY_H_

#include <string>
#include <string_view>

namespace uplinkd::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }
  // Makes the file's directory as well.
  void Write(const std::string& name, std::string_view content) const;
  std::string Read(const std::string& name) const;  // "" if it is not there
  bool Has(const std::string& name) const;

 private:
  std::string path_;
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_AGENT_TEMPORARY_DIRECTORY_H_
