// Single values of the outside's message: what the conversions share. Pure.
#ifndef UPLINKD_PROTO_CONVERT_VALUES_H_
#define UPLINKD_PROTO_CONVERT_VALUES_H_

#include <google/protobuf/duration.pb.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

// The address that `text` means; a fault, and none, if it means none.
std::optional<Address> ReadAddress(const std::string& field,
                                   const std::string& text,
                                   std::vector<Violation>& faults);

// `duration` in whole milliseconds; a fault, and `otherwise`, if it is none.
std::chrono::milliseconds ReadMilliseconds(
    const std::string& field, const google::protobuf::Duration& duration,
    std::chrono::milliseconds otherwise, std::vector<Violation>& faults);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_CONVERT_VALUES_H_
