#include "reconciler/linux/host_networkd.h"

#include <array>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

// systemd's search path, the strongest first.
constexpr std::array<std::string_view, 5> kConfigDirectories = {
    "etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd",
    "lib/systemd"};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool IsNo(std::string_view value) {
  return value == "no" || value == "false" || value == "0" || value == "off" ||
         value == "n" || value == "f";
}

// The settings of one file; what it does not name stays as it was.
void ApplyConfig(const fs::path& path, NetworkdFacts& facts) {
  std::ifstream file(path);
  bool in_network_section = false;
  for (std::string line; std::getline(file, line);) {
    const std::string_view text = Trim(line);
    if (text.starts_with('[')) in_network_section = text == "[Network]";
    const std::size_t equals = text.find('=');
    if (!in_network_section || equals == std::string_view::npos) continue;
    const std::string_view key = Trim(text.substr(0, equals));
    const bool no = IsNo(Trim(text.substr(equals + 1)));
    if (key == "ManageForeignRoutingPolicyRules") facts.keeps_rules = no;
    if (key == "ManageForeignRoutes") facts.keeps_routes = no;
  }
}

// The drop-ins that count, in the order in which they count: by file name,
// where a stronger directory hides the same name in a weaker one.
std::map<std::string, fs::path> DropIns(const fs::path& root) {
  std::map<std::string, fs::path> files;
  for (const std::string_view directory : kConfigDirectories) {
    std::error_code error;
    fs::directory_iterator entries(root / directory / "networkd.conf.d", error);
    for (; !error && entries != fs::directory_iterator();
         entries.increment(error)) {
      const fs::path& path = entries->path();
      if (path.extension() == ".conf") {
        files.emplace(path.filename().string(), path);
      }
    }
  }
  return files;
}

// Whether the unit has processes, in the unified or the old hierarchy.
bool IsRunning(const fs::path& root) {
  for (const std::string_view hierarchy : {"", "systemd", "unified"}) {
    std::ifstream processes(root / "sys/fs/cgroup" / hierarchy /
                            "system.slice/systemd-networkd.service" /
                            "cgroup.procs");
    if (std::string pid; processes >> pid) return true;
  }
  return false;
}

bool IsEnabled(const fs::path& root) {
  // The link may lead outside of `root`: that it is there is enough.
  std::error_code error;
  return fs::is_symlink(
      fs::symlink_status(root / "etc/systemd/system/multi-user.target.wants" /
                             "systemd-networkd.service",
                         error));
}

}  // namespace

NetworkdFacts ReadNetworkd(const fs::path& root) {
  NetworkdFacts facts;
  facts.running = IsRunning(root);
  facts.enabled = IsEnabled(root);
  for (const std::string_view directory : kConfigDirectories) {
    const fs::path path = root / directory / "networkd.conf";
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    ApplyConfig(path, facts);
    break;
  }
  for (const auto& [name, path] : DropIns(root)) ApplyConfig(path, facts);
  return facts;
}

}  // namespace uplinkd
