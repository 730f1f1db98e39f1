#include "agent/name_files.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>

#include "agent/files.h"
#include "agent/logging.h"
#include "reconciler/compile.h"
#include "reconciler/linux/host_table_names.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

constexpr std::string_view kFileName = "uplinkd.conf";
constexpr std::string_view kHeader =
    "# Written by uplinkd; changes here are overwritten.\n";
constexpr std::string_view kMultipathName = "uplinks";

// All names that ip(8) has from files other than ours, and those built into it,
// whatever the files say.
std::vector<TableName> ForeignTableNames(const std::string& iproute2_dir) {
  constexpr const char* kBuiltIn = "ip(8) itself";
  std::vector<TableName> known = {{0, "all", kBuiltIn},
                                  {253, "default", kBuiltIn},
                                  {254, "main", kBuiltIn},
                                  {255, "local", kBuiltIn}};
  std::ranges::move(ReadTableNames(iproute2_dir), std::back_inserter(known));
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
  return ReplaceFile(file.string(), content, FileReaders::kAll);
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
                     const TableName& clash) {
  return "table " + number + " is not named \"" + name +
         "\" for ip(8): " + std::to_string(clash.number) + " is \"" +
         clash.name + "\" in " + clash.file;
}

}  // namespace

std::map<std::uint32_t, std::string> TableNames(const Spec& spec) {
  std::map<std::uint32_t, std::string> names = TableOwners(spec);
  for (auto& [table, name] : names) {
    if (name.empty()) name = kMultipathName;
  }
  return names;
}

Result<std::vector<std::string>> WriteNameFiles(
    const std::string& iproute2_dir,
    const std::map<std::uint32_t, std::string>& tables) {
  std::vector<std::string> left_out;
  if (iproute2_dir.empty()) return left_out;
  const std::vector<TableName> foreign = ForeignTableNames(iproute2_dir);
  std::string lines(kHeader);
  for (const auto& table : tables) {
    const std::string number = std::to_string(table.first);
    const auto clash = std::ranges::find_if(foreign, [&](const TableName& it) {
      return it.number == table.first || it.name == table.second;
    });
    if (clash == foreign.end()) {
      lines.append(number).append("\t").append(table.second).append("\n");
      continue;
    }
    left_out.push_back(NotNamed(number, table.second, *clash));
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
