// The uplinks in "uplinkctl top": in which order, and in which form. Pure.
#ifndef UPLINKD_CLI_TOP_UPLINKS_H_
#define UPLINKD_CLI_TOP_UPLINKS_H_

#include <vector>

#include "cli/terminal.h"
#include "cli/top_view.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

using UplinkPointers = std::vector<const v1::UplinkStatus*>;

// Those that are not Ready first, the worst before all; else as in the spec.
// They point into `status`.
UplinkPointers WorstFirst(const v1::Status& status);

// The full form: how it is, its reason, and a line per direction. What is too
// wide for one line goes on in the next.
std::vector<StyledLine> DrawUplink(const v1::UplinkStatus& uplink,
                                   const RateHistory& history,
                                   const TopShape& shape);

// The compact form: a line of titles, then one line per uplink. Where not all
// columns fit, those that matter less are left out.
std::vector<StyledLine> DrawUplinkTable(const UplinkPointers& uplinks,
                                        std::size_t width);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_TOP_UPLINKS_H_
