#include "proto/spec_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "proto/convert.h"
#include "proto/message_reader.h"
#include "proto/yaml_tree.h"

namespace uplinkd {
namespace {

using Faults = std::vector<SpecFault>;

constexpr std::size_t kMaxFaults = 100;

// The path around `path`: of "a.b[1]" it is "a.b", of that "a", of that "".
std::string ParentOf(const std::string& path) {
  const std::size_t end = path.find_last_of(".[");
  return end == std::string::npos ? "" : path.substr(0, end);
}

bool IsWithin(const std::string& path, const std::string& ancestor) {
  if (ancestor.empty() || path == ancestor) return true;
  return path.starts_with(ancestor) &&
         (path[ancestor.size()] == '.' || path[ancestor.size()] == '[');
}

void SortByPosition(Faults& faults) {
  std::stable_sort(faults.begin(), faults.end(),
                   [](const SpecFault& a, const SpecFault& b) {
                     return a.position < b.position;
                   });
}

// The field that the file has, and that holds `path` or is it.
std::string NearestPresent(const SpecFile& file, std::string path) {
  while (!path.empty() && !file.positions.contains(path)) {
    path = ParentOf(path);
  }
  return path;
}

// Whether a violation could be no more than an echo of a fault of reading: the
// field could not be read, or is missing where a key was not understood, or
// follows from a choice that could not be read.
bool IsEcho(const SpecFile& file, const Faults& faults,
            const Violation& violation) {
  const bool missing = !file.positions.contains(violation.field);
  const std::string present = NearestPresent(file, violation.field);
  return std::any_of(faults.begin(), faults.end(), [&](const SpecFault& fault) {
    const std::string& at = fault.field;
    if (IsWithin(violation.field, at) || IsWithin(at, violation.field)) {
      return true;
    }
    if (missing && ParentOf(at) == present) return true;
    if (IsWithin(at, "spec.marks")) return violation.field.ends_with(".id");
    return missing && IsWithin(at, "spec.balance");
  });
}

// `value`: what was read for the key.
void RequireWord(const SpecFile& file, const std::string& key,
                 std::string_view word, const std::string& value,
                 Faults& faults) {
  const auto place = file.positions.find(key);
  const bool present = place != file.positions.end();
  if (present && !value.empty()) return;
  const bool unread = std::any_of(
      faults.begin(), faults.end(),
      [&key](const SpecFault& fault) { return fault.field == key; });
  if (unread) return;
  faults.push_back(
      {.file = "",
       .position = present ? place->second : file.positions.at(""),
       .field = key,
       .message = std::string(present ? "is empty" : "is missing") +
                  "; write " + key + ": " + std::string(word)});
}

// With the faults of reading goes what can already be said of the rest.
void AddViolations(const SpecFile& file, Faults& faults) {
  if (faults.size() > kMaxFaults) return;
  std::vector<Violation> violations = SpecFromProto(file.router).violations;
  std::erase_if(violations, [&](const Violation& violation) {
    return IsEcho(file, faults, violation);
  });
  for (SpecFault& fault : Locate(file, violations)) {
    faults.push_back(std::move(fault));
  }
}

// A file that is no spec at all is not worth a line per word.
void Shorten(Faults& faults) {
  if (faults.size() <= kMaxFaults) return;
  const std::size_t more = faults.size() - kMaxFaults;
  faults.resize(kMaxFaults);
  faults.push_back({.file = "",
                    .position = faults.back().position,
                    .field = "",
                    .message = "and " + std::to_string(more) + " more faults"});
}

tl::unexpected<Faults> OneFault(const std::string& file, std::string message) {
  return tl::unexpected(Faults{{.file = file,
                                .position = {},
                                .field = "",
                                .message = std::move(message)}});
}

std::string SystemWords(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace

tl::expected<SpecFile, Faults> ReadSpecText(std::string_view text,
                                            std::string file_name) {
  if (text.size() > kMaxSpecBytes) {
    return OneFault(file_name, "is larger than 1 MiB, too large for a spec");
  }
  const auto root = ParseYaml(text);
  if (!root) {
    SpecFault fault = root.error();
    fault.file = std::move(file_name);
    return tl::unexpected(Faults{std::move(fault)});
  }
  SpecFile file;
  file.file = std::move(file_name);
  ReadFindings findings = ReadMessage(*root, file.router);
  file.positions = std::move(findings.positions);
  Faults faults = std::move(findings.faults);
  if (root->kind == YamlNode::Kind::kMap) {
    RequireWord(file, "apiVersion", kApiVersion, file.router.api_version(),
                faults);
    RequireWord(file, "kind", kKind, file.router.kind(), faults);
  }
  if (faults.empty()) return file;
  AddViolations(file, faults);
  SortByPosition(faults);
  Shorten(faults);
  for (SpecFault& fault : faults) fault.file = file.file;
  return tl::unexpected(std::move(faults));
}

tl::expected<SpecFile, Faults> ReadSpecFile(const std::string& path) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "<stdin>" : path;
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, CloseFile> opened;
  if (!standard_input) {
    opened.reset(std::fopen(path.c_str(), "rbe"));
    if (!opened) return OneFault(name, "cannot open it: " + SystemWords(errno));
  }
  std::FILE* const file = standard_input ? stdin : opened.get();
  // One byte more than is allowed, so that ReadSpecText() sees the excess.
  std::string text(kMaxSpecBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  if (std::ferror(file) != 0) {
    return OneFault(name, "cannot read it: " + SystemWords(errno));
  }
  return ReadSpecText(text, name);
}

Faults Locate(const SpecFile& file, const std::vector<Violation>& violations) {
  Faults faults;
  for (const Violation& violation : violations) {
    const auto place =
        file.positions.find(NearestPresent(file, violation.field));
    faults.push_back(
        {.file = file.file,
         .position = place == file.positions.end() ? Position{} : place->second,
         .field = violation.field,
         .message = violation.message});
  }
  SortByPosition(faults);
  return faults;
}

std::string RenderFault(const SpecFault& fault) {
  std::string text = fault.file + ":";
  if (fault.position.line > 0) {
    text += std::to_string(fault.position.line) + ":" +
            std::to_string(fault.position.column) + ":";
  }
  if (!fault.field.empty()) text += " " + fault.field + ":";
  text += " " + fault.message;
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace uplinkd
