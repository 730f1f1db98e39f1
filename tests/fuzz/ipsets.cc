#include "tests/fuzz/ipsets.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "reconciler/linux/ipset.h"

namespace uplinkd {
namespace {

constexpr std::uint16_t kFirst = 60000;
constexpr std::size_t kLongestName = 31;  // IPSET_MAXNAMELEN and its NUL

std::vector<std::string>& Names() {
  static std::vector<std::string> names;
  return names;
}

std::string Numbered(std::uint16_t number) {
  return "set" + std::to_string(number);
}

}  // namespace

namespace testing {
void ForgetIpsets() {
  Names().clear();
}
}  // namespace testing

Result<std::uint16_t> FindIpset(const std::string& name) {
  if (name.empty() || name.size() > kLongestName) {
    return Fail(ErrorCode::kNotFound, "no ipset can have that name");
  }
  std::uint16_t number = 0;
  if (name.starts_with("set")) {
    std::from_chars(name.data() + 3, name.data() + name.size(), number);
    if (number < kFirst && Numbered(number) == name) return number;
  }
  auto found = std::ranges::find(Names(), name);
  if (found == Names().end()) found = Names().insert(found, name);
  return static_cast<std::uint16_t>(kFirst + (found - Names().begin()));
}

Result<std::set<std::string>> ReadIpsets(const std::set<std::string>& names) {
  return names;
}

Result<std::string> NameOfIpset(std::uint16_t number) {
  if (number < kFirst) return Numbered(number);
  const auto index = static_cast<std::size_t>(number - kFirst);
  if (index < Names().size()) return Names()[index];
  return Fail(ErrorCode::kNotFound, "there is no such ipset");
}

}  // namespace uplinkd
