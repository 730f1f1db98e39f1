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

}  // namespace

std::vector<TableName> ReadTableNames(const fs::path& root) {
  std::vector<TableName> names;
  for (const std::string_view directory :
       {"etc/iproute2", "usr/share/iproute2", "usr/lib/iproute2"}) {
    ReadFile(root / directory / "rt_tables", names);
    std::error_code error;
    fs::directory_iterator entries(root / directory / "rt_tables.d", error);
    for (; !error && entries != fs::directory_iterator();
         entries.increment(error)) {
      const fs::path& path = entries->path();
      if (path.extension() != ".conf" || path.filename() == kOwnFile) continue;
      ReadFile(path, names);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace uplinkd
