#include "reconciler/linux/host_table_names.h"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOwnFile = "uplinkd.conf";

void ReadFile(const fs::path& path, std::vector<TableName>& names) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string number;
    TableName name;
    if (!(words >> number >> name.name)) continue;
    // iproute2 takes "0xb" as well as "11".
    std::istringstream digits(number);
    digits >> std::setbase(0) >> name.number;
    if (!digits || !digits.eof()) continue;
    name.file = path.string();
    names.push_back(std::move(name));
  }
}

// The files of `directory` that no file of `etc` replaces.
void ReadDirectory(const fs::path& directory, const fs::path& etc,
                   std::vector<TableName>& names) {
  const auto read = [&](const fs::path& file) {
    std::error_code error;
    if (directory == etc || !fs::exists(etc / file, error)) {
      ReadFile(directory / file, names);
    }
  };
  const fs::path more = "rt_tables.d";
  read("rt_tables");
  std::error_code error;
  fs::directory_iterator entries(directory / more, error);
  for (; !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (name.extension() == ".conf" && name != kOwnFile) read(more / name);
  }
}

}  // namespace

std::vector<TableName> ReadTableNames(const fs::path& etc,
                                      const fs::path& root) {
  std::vector<TableName> names;
  ReadDirectory(etc, etc, names);
  ReadDirectory(root / "usr/share/iproute2", etc, names);
  ReadDirectory(root / "usr/lib/iproute2", etc, names);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace uplinkd
