// Whose spec the agent follows: what a plan was made against.
#ifndef UPLINKD_CLI_FOLLOWED_H_
#define UPLINKD_CLI_FOLLOWED_H_

#include <cstdint>
#include <string>

#include "cli/client.h"

namespace uplinkd {

// The name of the router in the spec of `generation`, which the agent has to
// follow now; "" for 0, which is no spec. Refused if it follows another one. A
// generation keeps its name, so an apply that expects it meets no other router.
CallResult<std::string> NameOfFollowed(std::uint64_t generation,
                                       Client& client);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_FOLLOWED_H_
