// The traffic rules' part of the conversion between message and Spec. Pure.
#ifndef UPLINKD_PROTO_CONVERT_TRAFFIC_H_
#define UPLINKD_PROTO_CONVERT_TRAFFIC_H_

#include <string>
#include <vector>

#include "reconciler/spec.h"
#include "reconciler/traffic.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {

// The rule that `source`, whose path is `path`, means. What cannot be read is
// added to `faults`; a value that holds for hardly anything stands in for it,
// so that the indices of the others stay.
TrafficRule TrafficRuleFromProto(const v1::TrafficRule& source,
                                 const std::string& path,
                                 std::vector<Violation>& faults);

void TrafficRuleToProto(const TrafficRule& rule, v1::TrafficRule& to);

// The network that `text` means, host bits cleared. A fault if it is none, or
// has host bits set; nullopt only for the former.
std::optional<Prefix> ReadNetwork(const std::string& field,
                                  const std::string& text,
                                  std::vector<Violation>& faults);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_CONVERT_TRAFFIC_H_
