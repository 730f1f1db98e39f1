// Single values of the outside's message: what the conversions share. Pure.
#ifndef UPLINKD_PROTO_CONVERT_VALUES_H_
#define UPLINKD_PROTO_CONVERT_VALUES_H_

#include <google/protobuf/duration.pb.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
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

// An enumeration is a table: each of the outside's values beside ours. Its
// first value outside, 0, means that none was given.

// What `value` stands for, `unspecified` if none was given; a fault, and
// `unspecified`, if it is not in `table`: a newer client may know more.
template <typename Outer, typename Inner, std::size_t N>
Inner ReadEnum(const std::string& field,
               const std::pair<Outer, Inner> (&table)[N], Outer value,
               Inner unspecified, std::vector<Violation>& faults) {
  if (value == Outer{}) return unspecified;
  for (const auto& [outer, inner] : table) {
    if (outer == value) return inner;
  }
  faults.push_back({field, "value " + std::to_string(static_cast<int>(value)) +
                               " is not known to this version"});
  return unspecified;
}

template <typename Outer, typename Inner, std::size_t N>
Outer ToProto(const std::pair<Outer, Inner> (&table)[N], Inner value) {
  for (const auto& [outer, inner] : table) {
    if (inner == value) return outer;
  }
  return Outer{};
}

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_CONVERT_VALUES_H_
