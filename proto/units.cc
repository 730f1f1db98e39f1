#include "proto/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "reconciler/names.h"

namespace uplinkd {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// Both from the largest to the smallest.
constexpr std::array<Unit, 4> kBitUnits = {{
    {"gbit", 1'000'000'000},
    {"mbit", 1'000'000},
    {"kbit", 1'000},
    {"bit", 1},
}};
constexpr std::array<Unit, 6> kTimeUnits = {{
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
}};

constexpr std::uint64_t kHundredthsPerPercent = 100;

enum class Fault { kNone, kSyntax, kFraction, kRange };

// A number with decimals, not yet scaled by its unit.
struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;  // of `scale`
  std::uint64_t scale = 1;     // a power of ten
};

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view TakeWhile(std::string_view& text, bool (*accept)(char)) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), accept);
  const std::string_view taken(text.data(),
                               static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

Fault ToNumber(std::string_view digits, std::uint64_t& number) {
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  if (error == std::errc::result_out_of_range) return Fault::kRange;
  if (error != std::errc() || stop != end) return Fault::kSyntax;
  return Fault::kNone;
}

// Takes "12" or "12.5" from the front of `text`.
Fault TakeDecimal(std::string_view& text, Decimal& decimal) {
  const std::string_view whole = TakeWhile(text, IsDigit);
  if (const Fault fault = ToNumber(whole, decimal.whole);
      fault != Fault::kNone) {
    return fault;
  }
  if (!text.starts_with('.')) return Fault::kNone;
  text.remove_prefix(1);
  std::string_view digits = TakeWhile(text, IsDigit);
  if (digits.empty()) return Fault::kSyntax;
  while (digits.ends_with('0')) digits.remove_suffix(1);
  if (digits.empty()) return Fault::kNone;
  // No unit is larger than 10^13 of its smallest one.
  if (digits.size() > 13) return Fault::kFraction;
  for (std::size_t i = 0; i < digits.size(); ++i) decimal.scale *= 10;
  return ToNumber(digits, decimal.fraction);
}

// decimal * unit, if that is whole and fits.
Fault Scale(const Decimal& decimal, std::uint64_t unit, std::uint64_t& result) {
  std::uint64_t fraction = 0;
  if (__builtin_mul_overflow(decimal.whole, unit, &result) ||
      __builtin_mul_overflow(decimal.fraction, unit, &fraction)) {
    return Fault::kRange;
  }
  if (fraction % decimal.scale != 0) return Fault::kFraction;
  return __builtin_add_overflow(result, fraction / decimal.scale, &result)
             ? Fault::kRange
             : Fault::kNone;
}

// What a person who wrote `unit` may have meant: "mb", "Mbps", "m" -> "mbit".
std::string SuggestBitUnit(std::string_view unit) {
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty()) return "";
  const char first = static_cast<char>(unit.front() | 0x20);
  for (const Unit& known : kBitUnits) {
    if (known.name.front() == first) return std::string(known.name);
  }
  return "";
}

tl::unexpected<std::string> BitRateFault(std::string_view text, Fault fault,
                                         std::string_view number,
                                         std::string_view unit) {
  if (fault == Fault::kRange) {
    return tl::unexpected(Quote(text) + " is too large");
  }
  if (fault == Fault::kFraction) {
    return tl::unexpected(Quote(text) + " is not a whole number of bits");
  }
  const std::string better = SuggestBitUnit(unit);
  if (!better.empty() && !number.empty() && number.back() != '.') {
    return tl::unexpected(Quote(text) + " is not a bit rate; did you mean " +
                          std::string(number) + better + "?");
  }
  return tl::unexpected(
      Quote(text) +
      " is not a bit rate; write a number with bit, kbit, mbit or gbit, such "
      "as 40mbit");
}

// Takes a unit that is smaller than the one before, `next` being the index
// of the first that may follow.
std::optional<std::uint64_t> TakeTimeUnit(std::string_view& text,
                                          std::size_t& next) {
  const std::string_view name =
      TakeWhile(text, [](char c) { return c >= 'a' && c <= 'z'; });
  for (; next < kTimeUnits.size(); ++next) {
    if (kTimeUnits[next].name == name) return kTimeUnits[next++].size;
  }
  return std::nullopt;
}

Fault SumDuration(std::string_view text, std::uint64_t& sum) {
  if (text.empty()) return Fault::kSyntax;
  std::size_t next = 0;
  while (!text.empty()) {
    Decimal decimal;
    if (const Fault fault = TakeDecimal(text, decimal); fault != Fault::kNone) {
      return fault;
    }
    const std::optional<std::uint64_t> unit = TakeTimeUnit(text, next);
    if (!unit) return Fault::kSyntax;
    std::uint64_t part = 0;
    if (const Fault fault = Scale(decimal, *unit, part);
        fault != Fault::kNone) {
      return fault;
    }
    if (__builtin_add_overflow(sum, part, &sum)) return Fault::kRange;
  }
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  return sum > kMax ? Fault::kRange : Fault::kNone;
}

// value / unit with as many decimals as it has, at most three: "2.5".
std::string Divide(std::uint64_t value, std::uint64_t unit) {
  std::string text = std::to_string(value / unit);
  std::uint64_t rest = value % unit;
  if (rest != 0) text += '.';
  while (rest != 0) {
    rest *= 10;
    text += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return text;
}

}  // namespace

Parsed<std::uint64_t> ParseBitRate(std::string_view text) {
  std::string_view rest = text;
  Decimal decimal;
  Fault fault = TakeDecimal(rest, decimal);
  const std::string_view number = text.substr(0, text.size() - rest.size());
  const std::string_view name = rest.empty() ? "bit" : rest;
  const auto* const unit =
      std::find_if(kBitUnits.begin(), kBitUnits.end(),
                   [name](const Unit& known) { return known.name == name; });
  if (unit == kBitUnits.end()) fault = Fault::kSyntax;
  std::uint64_t bits = 0;
  if (fault == Fault::kNone) fault = Scale(decimal, unit->size, bits);
  if (fault != Fault::kNone) return BitRateFault(text, fault, number, rest);
  return bits;
}

std::string FormatBitRate(std::uint64_t bits_per_second) {
  for (const Unit& unit : kBitUnits) {
    const std::uint64_t decimals = std::max<std::uint64_t>(unit.size / 1000, 1);
    if (bits_per_second >= unit.size && bits_per_second % decimals == 0) {
      return Divide(bits_per_second, unit.size) + std::string(unit.name);
    }
  }
  return "0bit";
}

Parsed<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  std::uint64_t sum = 0;
  switch (SumDuration(text, sum)) {
    case Fault::kNone:
      return std::chrono::nanoseconds(static_cast<std::int64_t>(sum));
    case Fault::kRange: return tl::unexpected(Quote(text) + " is too long");
    case Fault::kFraction:
      return tl::unexpected(Quote(text) +
                            " is not a whole number of nanoseconds");
    case Fault::kSyntax: break;
  }
  return tl::unexpected(
      Quote(text) +
      " is not a duration; write a number with h, m, s, ms, us or ns, such as "
      "250ms or 1m30s");
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  auto rest = static_cast<std::uint64_t>(duration.count());
  std::string text;
  for (const Unit& unit : kTimeUnits) {
    if (rest < unit.size) continue;
    text += std::to_string(rest / unit.size) + std::string(unit.name);
    rest %= unit.size;
  }
  return text.empty() ? "0s" : text;
}

Parsed<std::uint32_t> ParsePercentage(std::string_view text) {
  std::string_view rest = text;
  Decimal decimal;
  Fault fault = TakeDecimal(rest, decimal);
  if (fault == Fault::kNone && rest != "%") fault = Fault::kSyntax;
  std::uint64_t hundredths = 0;
  if (fault == Fault::kNone) {
    fault = Scale(decimal, kHundredthsPerPercent, hundredths);
  }
  if (fault == Fault::kNone &&
      hundredths > std::numeric_limits<std::uint32_t>::max()) {
    fault = Fault::kRange;
  }
  switch (fault) {
    case Fault::kNone: return static_cast<std::uint32_t>(hundredths);
    case Fault::kRange: return tl::unexpected(Quote(text) + " is too large");
    case Fault::kFraction:
      return tl::unexpected(Quote(text) + " has more than two decimals");
    case Fault::kSyntax: break;
  }
  return tl::unexpected(
      Quote(text) +
      " is not a percentage; write a number with a percent sign, such as 20%");
}

std::string FormatPercentage(std::uint32_t hundredths) {
  return Divide(hundredths, kHundredthsPerPercent) + "%";
}

Parsed<std::uint64_t> ParseUnsigned(std::string_view text, std::uint64_t max) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hex ? text.substr(2) : text;
  std::uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] =
      std::from_chars(digits.data(), end, number, hex ? 16 : 10);
  const bool too_large = error == std::errc::result_out_of_range ||
                         (error == std::errc() && number > max);
  if (stop != end || error == std::errc::invalid_argument) {
    return tl::unexpected(Quote(text) + " is not a whole number of 0 or more");
  }
  if (too_large) {
    return tl::unexpected(Quote(text) + " is too large; at most " +
                          std::to_string(max));
  }
  if (!hex && digits.size() > 1 && digits.front() == '0') {
    return tl::unexpected(Quote(text) +
                          " has a leading zero; write it without, or in hex");
  }
  return number;
}

}  // namespace uplinkd
