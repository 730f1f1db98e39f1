// The spec reader: any text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/convert.h"
#include "proto/spec_reader.h"
#include "tests/fuzz/router_laws.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using uplinkd::Converted;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = uplinkd::ReadSpecText(text, "f");
  if (!file) {
    uplinkd::testing::RequireFaults(file.error(), text);
    return 0;
  }
  uplinkd::testing::RequireReadsBack(file->router);
  const Converted converted = uplinkd::SpecFromProto(file->router);
  if (!converted.violations.empty()) {
    uplinkd::testing::RequireFaults(
        uplinkd::Locate(*file, converted.violations), text);
    return 0;
  }
  uplinkd::testing::RequireConvertsBack(converted.spec);
  return 0;
}
