#include "agent/name_files.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/files.h"
#include "agent/logging.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

constexpr std::string_view kFileName = "uplinkd.conf";
constexpr std::string_view kHeader =
    "# Written by uplinkd; changes here are overwritten.\n";
constexpr std::string_view kMultipathName = "uplinks";

struct KnownName {
  std::uint32_t number = 0;
  std::string name;
};

// The "number name" lines of one file; anything else is skipped, as ip does.
void CollectNames(const std::string& path, std::vector<KnownName>& known) {
  const Result<std::string> text = ReadFile(path);
  if (!text) return;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    KnownName entry;
    if (line.starts_with('#') || !(words >> std::setbase(0) >> entry.number) ||
        !(words >> entry.name)) {
      continue;
    }
    known.push_back(std::move(entry));
  }
}

// All names that iproute2 has from files other than ours.
std::vector<KnownName> ForeignTableNames(const std::string& iproute2_dir) {
  // Built into ip(8), whatever the files say.
  std::vector<KnownName> known = {
      {0, "all"}, {253, "default"}, {254, "main"}, {255, "local"}};
  CollectNames(iproute2_dir + "/rt_tables", known);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(
           iproute2_dir + "/rt_tables.d", ignored)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".conf" && path.filename() != kFileName) {
      CollectNames(path.string(), known);
    }
  }
  return known;
}

// Where the file is, whose path may be a link that leads out of a directory in
// which we may not write. It need not be there yet.
std::filesystem::path Destination(const std::filesystem::path& path) {
  std::error_code no_link;
  const auto target = std::filesystem::read_symlink(path, no_link);
  return no_link ? path : path.parent_path() / target;
}

Result<void> MakeFile(const std::string& path, const std::string& content) {
  const std::filesystem::path file = Destination(path);
  if (Result<void> made = MakeDirectory(file.parent_path().string()); !made) {
    return made;
  }
  return ReplaceFile(file.string(), content);
}

Result<void> WriteIfDifferent(const std::string& directory,
                              const std::string& content) {
  const std::string path = directory + "/" + std::string(kFileName);
  const Result<std::string> present = ReadFile(path);
  if (present && *present == content) return {};
  Result<void> made = MakeFile(path, content);
  const std::string error = made ? "" : made.error().message;
  Log(made ? spdlog::level::info : spdlog::level::warn,
      made ? "wrote " + path : error,
      {{"event", "names"},
       {"path", path},
       {"result", made ? "done" : "failed"},
       {"error", error}});
  return made;
}

std::string NotNamed(const std::string& number, const std::string& name,
                     const KnownName& clash, const std::string& directory) {
  return "table " + number + " is not named \"" + name +
         "\" for ip(8): " + std::to_string(clash.number) + " is \"" +
         clash.name + "\" in " + directory;
}

}  // namespace

std::map<std::uint32_t, std::string> TableNames(const Spec& spec) {
  std::map<std::uint32_t, std::string> names;
  for (const Uplink& uplink : spec.uplinks) {
    names[TableOf(spec, uplink.id)] = uplink.name;
  }
  if (spec.balance.algorithm == Algorithm::kMultipath) {
    names[spec.table_base] = kMultipathName;
  }
  return names;
}

Result<std::vector<std::string>> WriteNameFiles(
    const std::string& iproute2_dir,
    const std::map<std::uint32_t, std::string>& tables) {
  std::vector<std::string> left_out;
  if (iproute2_dir.empty()) return left_out;
  const std::vector<KnownName> foreign = ForeignTableNames(iproute2_dir);
  std::string lines(kHeader);
  for (const auto& table : tables) {
    const std::string number = std::to_string(table.first);
    const auto clash =
        std::find_if(foreign.begin(), foreign.end(), [&](const KnownName& it) {
          return it.number == table.first || it.name == table.second;
        });
    if (clash == foreign.end()) {
      lines.append(number).append("\t").append(table.second).append("\n");
      continue;
    }
    left_out.push_back(NotNamed(number, table.second, *clash, iproute2_dir));
  }
  if (Result<void> written =
          WriteIfDifferent(iproute2_dir + "/rt_tables.d", lines);
      !written) {
    return tl::unexpected(written.error());
  }
  if (Result<void> written = WriteIfDifferent(
          iproute2_dir + "/rt_protos.d",
          std::string(kHeader) + std::to_string(kProtocol) + "\tuplinkd\n");
      !written) {
    return tl::unexpected(written.error());
  }
  return left_out;
}

Result<void> RemoveNameFiles(const std::string& iproute2_dir) {
  if (iproute2_dir.empty()) return {};
  for (const char* directory : {"/rt_tables.d/", "/rt_protos.d/"}) {
    const std::string path = iproute2_dir + directory + std::string(kFileName);
    if (Result<void> removed = RemoveFile(Destination(path).string());
        !removed) {
      return removed;
    }
  }
  return {};
}

}  // namespace uplinkd
