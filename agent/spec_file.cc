#include "agent/spec_file.h"

#include <utility>

#include "agent/files.h"
#include "proto/convert.h"
#include "proto/spec_reader.h"

namespace uplinkd {
namespace {

std::vector<std::string> Render(const std::vector<SpecFault>& faults) {
  std::vector<std::string> lines;
  lines.reserve(faults.size());
  for (const SpecFault& fault : faults) lines.push_back(RenderFault(fault));
  return lines;
}

}  // namespace

tl::expected<std::optional<Spec>, std::vector<std::string>> LoadSpecFile(
    const std::string& path, bool allow_empty) {
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(std::vector{text.error().message});
  const auto file = ReadSpecText(*text, path);
  if (!file) {
    if (allow_empty && file.error().front().no_spec) return std::nullopt;
    return tl::unexpected(Render(file.error()));
  }
  Converted converted = SpecFromProto(file->router);
  if (!converted.violations.empty()) {
    return tl::unexpected(Render(Locate(*file, converted.violations)));
  }
  return std::move(converted.spec);
}

}  // namespace uplinkd
