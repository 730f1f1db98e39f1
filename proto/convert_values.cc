#include "proto/convert_values.h"

#include <google/protobuf/util/time_util.h>

#include <cstdint>

#include "reconciler/names.h"

namespace uplinkd {

std::optional<Address> ReadAddress(const std::string& field,
                                   const std::string& text,
                                   std::vector<Violation>& faults) {
  const std::optional<Address> address = Address::Parse(text);
  if (address) return address;
  if (Prefix::ParseLenient(text)) {
    faults.push_back({field, text +
                                 " has a prefix length; write the address "
                                 "alone, " +
                                 text.substr(0, text.find('/'))});
  } else {
    faults.push_back(
        {field,
         Quote(text) + " is not an address; write it like 198.51.100.2"});
  }
  return std::nullopt;
}

std::chrono::milliseconds ReadMilliseconds(
    const std::string& field, const google::protobuf::Duration& duration,
    std::chrono::milliseconds otherwise, std::vector<Violation>& faults) {
  // The largest good value is a window of 8s * 2^30, far below the limit here.
  constexpr std::int64_t kMaxSeconds = 315'576'000'000;  // duration.proto
  if (duration.seconds() < 0 || duration.seconds() > kMaxSeconds ||
      duration.nanos() < 0 || duration.nanos() > 999'999'999) {
    faults.push_back({field, "is not a duration"});
    return otherwise;
  }
  if (duration.nanos() % 1'000'000 != 0) {
    faults.push_back({field, "is not a whole number of milliseconds"});
    return otherwise;
  }
  return std::chrono::milliseconds(
      google::protobuf::util::TimeUtil::DurationToMilliseconds(duration));
}

}  // namespace uplinkd
