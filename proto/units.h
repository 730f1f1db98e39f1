// Numbers with units, as people write them in a spec: 40mbit, 1m30s, 0xff.
//
// Parsing is exact: nothing is rounded, and a value that does not fit is
// refused. Each failure is a sentence that says what would be right. Pure.
#ifndef UPLINKD_PROTO_UNITS_H_
#define UPLINKD_PROTO_UNITS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace uplinkd {

template <typename T>
using Parsed = tl::expected<T, std::string>;

// "40mbit", "2.5gbit", "800kbit", "64000bit", or a bare number of bits; a kbit
// is 1000 bits. The result is in bits per second.
Parsed<std::uint64_t> ParseBitRate(std::string_view text);
// In the largest unit that needs no more than three decimals: "2.5gbit".
std::string FormatBitRate(std::uint64_t bits_per_second);

// "250ms", "1s", "1m30s", "1.5s": numbers with h, m, s, ms, us or ns, larger
// units first. Up to 292 years.
Parsed<std::chrono::nanoseconds> ParseDuration(std::string_view text);
std::string FormatDuration(std::chrono::nanoseconds duration);

// "20%", "0.5%": a number with a percent sign and at most two decimals. The
// result is in hundredths of a percent.
Parsed<std::uint32_t> ParsePercentage(std::string_view text);
std::string FormatPercentage(std::uint32_t hundredths);

// "255" or "0xff", no larger than `max`. No sign, no leading zero (which would
// be octal to some and decimal to others).
Parsed<std::uint64_t> ParseUnsigned(std::string_view text, std::uint64_t max);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_UNITS_H_
