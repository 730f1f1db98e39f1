#include "tests/cli/program.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/linux/netns.h"

namespace uplinkd {

ProgramTest::ProgramTest() {
  std::string path = "/tmp/uplinkctl-test-XXXXXX";
  directory_ = mkdtemp(path.data());
  // Other users must get in: some tests run the program as nobody.
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  unsetenv("UPLINKD_ADDRESS");
  unsetenv("NO_COLOR");
  setenv("UPLINKCTL", UPLINKCTL, 1);
}

ProgramTest::~ProgramTest() {
  std::filesystem::remove_all(directory_);
}

ProgramResult ProgramTest::Ctl(const std::string& arguments,
                               const std::string& before) const {
  return Sh(before + " \"$UPLINKCTL\" " + arguments);
}

ProgramResult ProgramTest::Sh(const std::string& script) const {
  ProgramResult result;
  result.exit_code = RunCommand("cd " + directory_.string() + "\n{ " + script +
                                "\n} >stdout 2>stderr")
                         .status;
  result.out = Read("stdout");
  result.err = Read("stderr");
  return result;
}

void ProgramTest::Write(const std::string& name,
                        const std::string& text) const {
  std::ofstream(directory_ / name) << text;
}

std::string ProgramTest::Read(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(directory_ / name).rdbuf();
  return text.str();
}

}  // namespace uplinkd
