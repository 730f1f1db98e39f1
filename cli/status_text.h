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

// That of what probes say.
Color HealthColor(const std::string& state);

// "what is shown is as of 12s ago", where the agent has published nothing for
// longer than it does while all is well; "" else. `now` is this machine's.
std::string StaleWords(const v1::Status& status,
                       const google::protobuf::Timestamp& now);

// In UTC, to the millisecond: "2026-11-26T12:05:00.123Z".
std::string MomentWords(const google::protobuf::Timestamp& moment);
// In UTC: "12:05:00", with the day unless it is that of `now`.
std::string TimeOfDay(const google::protobuf::Timestamp& moment,
                      const google::protobuf::Timestamp& now);

// Bytes per second; less than a bit is the tail of a mean that goes to 0.
double SettledRate(double rate);

// "2 %"; "-" while no probe was answered or given up.
std::string LossWords(const v1::HealthStatus& health);

// Whether it says that something is wrong.
bool IsBad(const v1::Condition& condition);

// "45s", "12m", "3h", "5d".
std::string HumanAge(double seconds);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_STATUS_TEXT_H_
