#include "agent/roles.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/files.h"
#include "agent/logging.h"
#include "proto/yaml_tree.h"

namespace uplinkd {
namespace {

using Faults = std::vector<SpecFault>;
using Kind = YamlNode::Kind;

constexpr const char* kExample =
    "write it like roles: {ops.example.net: operator}";

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  void ReadTop(const YamlNode& top) {
    if (top.kind != Kind::kMap) {
      Fault(top.position, "", std::string("is no map; ") + kExample);
      return;
    }
    bool found = false;
    for (const YamlNode& entry : top.children) {
      if (!entry.fault.empty()) {
        Fault(entry.position, entry.key, entry.fault);
      } else if (entry.key != "roles") {
        Fault(entry.key_position, entry.key,
              "unknown key \"" + entry.key + "\"; there is only roles");
      } else {
        found = true;
        ReadRoles(entry);
      }
    }
    if (!found && faults_.empty()) {
      Fault(top.position, "roles", std::string("is missing; ") + kExample);
    }
  }

  RoleNames& names() { return names_; }
  Faults& faults() { return faults_; }

 private:
  void ReadRoles(const YamlNode& roles) {
    if (roles.kind == Kind::kNull) return;  // nobody has one
    if (roles.kind != Kind::kMap) {
      Fault(roles.position, "roles", std::string("is no map; ") + kExample);
      return;
    }
    std::set<std::string> seen;
    for (const YamlNode& entry : roles.children) {
      if (entry.fault.empty() && !seen.insert(entry.key).second) {
        Fault(entry.key_position, "roles." + entry.key, "is given twice");
      } else {
        ReadRole(entry);
      }
    }
  }

  void ReadRole(const YamlNode& entry) {
    const std::string field = "roles." + entry.key;
    if (!entry.fault.empty()) {
      Fault(entry.position, field, entry.fault);
    } else if (entry.text == "reader" && entry.kind == Kind::kScalar) {
      names_[entry.key] = Role::kReader;
    } else if (entry.text == "operator" && entry.kind == Kind::kScalar) {
      names_[entry.key] = Role::kOperator;
    } else {
      Fault(entry.position, field,
            (entry.text.empty() ? "is no role"
                                : "\"" + entry.text + "\" is no role") +
                std::string("; it is reader or operator"));
    }
  }

  void Fault(Position position, std::string field, std::string message) {
    faults_.push_back({file_, position, std::move(field), std::move(message)});
  }

  std::string file_;
  RoleNames names_;
  Faults faults_;
};

}  // namespace

tl::expected<RoleNames, Faults> ReadRolesText(std::string_view text,
                                              const std::string& file_name) {
  const auto tree = ParseYaml(text);
  if (!tree) {
    SpecFault fault = tree.error();
    fault.file = file_name;
    return tl::unexpected(Faults{std::move(fault)});
  }
  Reader reader(file_name);
  reader.ReadTop(*tree);
  if (!reader.faults().empty()) {
    return tl::unexpected(std::move(reader.faults()));
  }
  return std::move(reader.names());
}

tl::expected<void, std::vector<std::string>> Roles::Load() {
  // Before it is read: what is written meanwhile is found the next time.
  const FileSignature signature = SignatureOf(path_);
  const Result<std::string> text = ReadFile(path_);
  std::vector<std::string> lines;
  RoleNames names;
  if (!text) {
    lines.push_back(text.error().message);
  } else if (auto read = ReadRolesText(*text, path_)) {
    names = *std::move(read);
  } else {
    for (const SpecFault& fault : read.error()) {
      lines.push_back(RenderFault(fault));
    }
  }
  const std::lock_guard lock(mutex_);
  signature_ = signature;
  if (!lines.empty()) return tl::unexpected(std::move(lines));
  names_ = std::move(names);
  return {};
}

bool Roles::LoadIfChanged() {
  {
    const FileSignature now = SignatureOf(path_);
    const std::lock_guard lock(mutex_);
    if (now == signature_) return false;
  }
  return Reload();
}

bool Roles::Reload() {
  const auto loaded = Load();
  LogFields fields = {{"event", "roles"}, {"from", path_}};
  if (loaded) {
    fields.emplace_back("result", "accepted");
    Log(spdlog::level::info, "roles are those of " + path_ + " from now on",
        fields);
    return true;
  }
  fields.emplace_back("result", "refused");
  fields.emplace_back("error", loaded.error().front());
  Log(spdlog::level::err,
      path_ + " is refused; the last good roles are kept: " +
          loaded.error().front(),
      fields);
  return false;
}

Roles::Found Roles::Find(const std::vector<std::string>& names) const {
  const std::lock_guard lock(mutex_);
  Found found;
  for (const std::string& name : names) {
    const auto entry = names_.find(name);
    if (entry != names_.end() && entry->second > found.role) {
      found = {entry->first, entry->second};
    }
  }
  return found;
}

}  // namespace uplinkd
