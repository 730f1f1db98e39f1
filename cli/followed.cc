#include "cli/followed.h"

#include <utility>

namespace uplinkd {
namespace {

tl::unexpected<CallError> FollowsAnother(std::uint64_t present,
                                         std::uint64_t expected) {
  return tl::unexpected(CallError{
      ExitCode::kRefused,
      "the spec is of generation " + std::to_string(present) + ", not " +
          std::to_string(expected) + "; nothing was changed, make a new plan",
      {}});
}

}  // namespace

CallResult<std::string> NameOfFollowed(std::uint64_t generation,
                                       Client& client) {
  if (generation == 0) {
    // There is nothing to get then.
    const auto status = client.Status();
    if (!status) return tl::unexpected(status.error());
    const std::uint64_t present = status->status().generation();
    if (present != 0) return FollowsAnother(present, generation);
    return "";
  }
  const auto current = client.Get();
  if (!current) return tl::unexpected(current.error());
  if (current->generation() != generation) {
    return FollowsAnother(current->generation(), generation);
  }
  return current->router().metadata().name();
}

}  // namespace uplinkd
