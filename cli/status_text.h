// Status and events for people.
#ifndef UPLINKD_CLI_STATUS_TEXT_H_
#define UPLINKD_CLI_STATUS_TEXT_H_

#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "cli/screen.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// A headline, the conditions, the uplinks, and what to mend. `now` is for the
// ages.
void PrintStatus(const v1::Status& status,
                 const google::protobuf::Timestamp& now, const Screen& screen);

// One line: when, why, what came of it, and the changes.
void PrintEvent(const v1::WatchResponse& response, const Screen& screen);

// That of an uplink's phase.
Color PhaseColor(const std::string& phase);

// Whether it says that something is wrong.
bool IsBad(const v1::Condition& condition);

// "45s", "12m", "3h", "5d".
std::string HumanAge(double seconds);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_STATUS_TEXT_H_
