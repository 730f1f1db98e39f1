// Runs the built uplinkctl as a user would.
#ifndef UPLINKD_TESTS_CLI_PROGRAM_H_
#define UPLINKD_TESTS_CLI_PROGRAM_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace uplinkd {

struct ProgramResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// A directory of the test's own, in which the program runs.
class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest();
  ~ProgramTest() override;

  // `arguments` as in a shell, so with quotes, pipes and redirections. The
  // words before the program's name ("NO_COLOR=1", "setpriv ...") are `before`.
  ProgramResult Ctl(const std::string& arguments,
                    const std::string& before = "") const;
  // A shell script in which $UPLINKCTL is the program.
  ProgramResult Sh(const std::string& script) const;

  // Makes a file in the directory.
  void Write(const std::string& name, const std::string& text) const;
  std::string Read(const std::string& name) const;
  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

// Two uplinks of which all is known.
inline constexpr const char* kGoodSpec = R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: office}
spec:
  lans:
    - {interface: lan0, networks: [192.168.10.0/24]}
  uplinks:
    - name: wan1
      interface: wan1
      capacity: {download: 40mbit}
    - name: wan2
      interface: wan2
      capacity: {download: 10mbit}
)";

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_CLI_PROGRAM_H_
