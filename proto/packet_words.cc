#include "proto/packet_words.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/nearest.h"
#include "reconciler/hex.h"
#include "reconciler/names.h"

namespace uplinkd {
namespace {

using Word = std::pair<std::string_view, std::uint8_t>;

// https://www.iana.org/assignments/protocol-numbers
constexpr std::array<Word, 14> kProtocols = {{{"icmp", 1},
                                              {"igmp", 2},
                                              {"ipip", 4},
                                              {"tcp", 6},
                                              {"udp", 17},
                                              {"ipv6", 41},
                                              {"gre", 47},
                                              {"esp", 50},
                                              {"ah", 51},
                                              {"icmpv6", 58},
                                              {"ospf", 89},
                                              {"dccp", 33},
                                              {"sctp", 132},
                                              {"udplite", 136}}};

// https://www.iana.org/assignments/dscp-registry
constexpr std::array<Word, 23> kCodePoints = {
    {{"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},  {"cs4", 32},
     {"cs5", 40},  {"cs6", 48},  {"cs7", 56},  {"af11", 10}, {"af12", 12},
     {"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26},
     {"af32", 28}, {"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38},
     {"ef", 46},   {"va", 44},   {"le", 1}}};

Parsed<std::uint8_t> ParseWord(const std::string& text,
                               std::span<const Word> words, std::uint8_t max) {
  for (const auto& [word, value] : words) {
    if (word == text) return value;
  }
  if (const auto number = ParseUnsigned(text, max)) {
    return static_cast<std::uint8_t>(*number);
  }
  std::vector<std::string> known;
  for (const auto& [word, value] : words) known.emplace_back(word);
  known.push_back("0 to " + std::to_string(max));
  return tl::unexpected(Quote(text) + " is not known; " +
                        SuggestWord(text, known));
}

std::string FormatWord(std::uint8_t value, std::span<const Word> words) {
  for (const auto& [word, known] : words) {
    if (known == value) return std::string(word);
  }
  return std::to_string(value);
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// "7", or "7-9".
std::optional<std::pair<std::uint64_t, std::uint64_t>> ParseRange(
    const std::string& text, std::uint64_t max) {
  const std::size_t dash = text.find('-');
  const auto first = ParseUnsigned(text.substr(0, dash), max);
  if (!first) return std::nullopt;
  if (dash == std::string::npos) return std::pair(*first, *first);
  const auto last = ParseUnsigned(text.substr(dash + 1), max);
  if (!last) return std::nullopt;
  return std::pair(*first, *last);
}

template <typename Range>
std::string FormatRange(const Range& range) {
  const std::string first = std::to_string(range.first);
  return range.first == range.last ? first
                                   : first + "-" + std::to_string(range.last);
}

constexpr std::array<std::pair<std::string_view, std::chrono::seconds>, 4>
    kUnits = {{{"second", std::chrono::seconds(1)},
               {"minute", std::chrono::minutes(1)},
               {"hour", std::chrono::hours(1)},
               {"day", std::chrono::hours(24)}}};

}  // namespace

Parsed<std::uint8_t> ParseProtocol(const std::string& text) {
  return ParseWord(text, kProtocols, 255);
}

std::string FormatProtocol(std::uint8_t protocol) {
  return FormatWord(protocol, kProtocols);
}

Parsed<PortRange> ParsePorts(const std::string& text) {
  constexpr std::uint64_t kMaxPort = 65535;
  const auto range = ParseRange(text, kMaxPort);
  if (!range) {
    return tl::unexpected(Quote(text) +
                          " is not a port; write one up to 65535, or a range "
                          "like \"10000-20000\"");
  }
  return PortRange{static_cast<std::uint16_t>(range->first),
                   static_cast<std::uint16_t>(range->second)};
}

std::string FormatPorts(const PortRange& range) {
  return FormatRange(range);
}

Parsed<std::uint8_t> ParseDscp(const std::string& text) {
  return ParseWord(text, kCodePoints, 63);
}

std::string FormatDscp(std::uint8_t dscp) {
  return FormatWord(dscp, kCodePoints);
}

Parsed<MacAddress> ParseMac(const std::string& text) {
  const tl::unexpected<std::string> fault(
      Quote(text) +
      " is not a hardware address; write it like 02:00:00:00:00:01");
  constexpr std::size_t kPair = 3;  // with its colon
  MacAddress mac{};
  if (text.size() != mac.size() * kPair - 1) return fault;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const std::optional<int> high = HexDigit(text[i * kPair]);
    const std::optional<int> low = HexDigit(text[i * kPair + 1]);
    const bool ends = i + 1 == mac.size() || text[i * kPair + 2] == ':';
    if (!high || !low || !ends) return fault;
    mac[i] = static_cast<std::uint8_t>(*high * 16 + *low);
  }
  return mac;
}

std::string FormatMac(const MacAddress& mac) {
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x",
                mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text.data();
}

Parsed<Mark> ParseMark(const std::string& text) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  const std::size_t slash = text.find('/');
  const auto value = ParseUnsigned(text.substr(0, slash), kMax);
  const auto mask = slash == std::string::npos
                        ? Parsed<std::uint64_t>(kMax)
                        : ParseUnsigned(text.substr(slash + 1), kMax);
  if (!value || !mask) {
    return tl::unexpected(Quote(text) +
                          " is not a mark; write it like 0x1000/0xff00");
  }
  if ((*value & ~*mask) != 0) {
    return tl::unexpected(Quote(text) +
                          " never matches: the value has bits that the mask "
                          "has not");
  }
  return Mark{static_cast<std::uint32_t>(*value),
              static_cast<std::uint32_t>(*mask)};
}

std::string FormatMark(const Mark& mark) {
  return Hex(mark.value) + "/" + Hex(mark.mask);
}

Parsed<UidRange> ParseUids(const std::string& text) {
  // The last one stands for "none".
  constexpr std::uint64_t kMaxUid =
      std::numeric_limits<std::uint32_t>::max() - 1;
  const auto range = ParseRange(text, kMaxUid);
  if (!range) {
    return tl::unexpected(Quote(text) +
                          " is not a user's number; write one like 1000, or a "
                          "range like \"1000-1999\"");
  }
  return UidRange{static_cast<std::uint32_t>(range->first),
                  static_cast<std::uint32_t>(range->second)};
}

std::string FormatUids(const UidRange& range) {
  return FormatRange(range);
}

Parsed<Rate> ParseRate(const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto count = ParseUnsigned(text.substr(0, slash), kMaxLimit);
  if (count && *count > 0 && slash != std::string::npos) {
    for (const auto& [word, unit] : kUnits) {
      if (text.substr(slash + 1) == word) {
        return Rate{static_cast<std::uint32_t>(*count), unit};
      }
    }
  }
  return tl::unexpected(Quote(text) + " is not a rate; write 1 to " +
                        std::to_string(kMaxLimit) +
                        " per second, minute, hour or day, like 10/second");
}

std::string FormatRate(const Rate& rate) {
  const auto* const unit = std::ranges::find(
      kUnits, rate.unit, [](const auto& known) { return known.second; });
  return std::to_string(rate.count).append("/").append(unit->first);
}

}  // namespace uplinkd
