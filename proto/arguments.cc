#include "proto/arguments.h"

#include <algorithm>
#include <string_view>

namespace uplinkd {
namespace {

// "--name=", and nothing behind it.
bool HasEmptyValue(std::string_view argument) {
  return argument.size() > 3 && argument.starts_with("--") &&
         argument.find('=', 2) == argument.size() - 1;
}

}  // namespace

std::vector<std::string> ArgumentStack(std::span<const char* const> arguments) {
  std::vector<std::string> stack;
  bool options = true;  // no "--" so far, which ends them
  for (const std::string_view argument : arguments) {
    options = options && argument != "--";
    if (options && HasEmptyValue(argument)) {
      stack.emplace_back(argument.substr(0, argument.size() - 1));
      stack.emplace_back();
    } else {
      stack.emplace_back(argument);
    }
  }
  std::reverse(stack.begin(), stack.end());
  return stack;
}

}  // namespace uplinkd
