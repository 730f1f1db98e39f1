// The present moment, by the clocks of the system; see Moment.
#ifndef UPLINKD_AGENT_BOOT_CLOCK_H_
#define UPLINKD_AGENT_BOOT_CLOCK_H_

#include "agent/confirm.h"

namespace uplinkd {

// Any thread. Without /proc the boot has no id, and the time of day decides.
Moment PresentMoment();

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_BOOT_CLOCK_H_
