#include "cli/generation.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace uplinkd {

CLI::Validator IsGeneration() {
  const auto fault = [](const std::string& text) -> std::string {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && rest == end && number > 0) return "";
    return "\"" + text + "\" is no generation; they count from 1";
  };
  return {fault, "", ""};
}

}  // namespace uplinkd
