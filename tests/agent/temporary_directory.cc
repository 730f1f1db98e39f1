#include "tests/agent/temporary_directory.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace uplinkd::testing {

TemporaryDirectory::TemporaryDirectory() {
  std::string name =
      (std::filesystem::temp_directory_path() / "uplinkd-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TemporaryDirectory::Write(const std::string& name,
                               std::string_view content) const {
  const std::filesystem::path file = *this / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << content;
}

std::string TemporaryDirectory::Read(const std::string& name) const {
  std::ostringstream content;
  content << std::ifstream(*this / name).rdbuf();
  return content.str();
}

bool TemporaryDirectory::Has(const std::string& name) const {
  return std::filesystem::exists(*this / name);
}

}  // namespace uplinkd::testing
