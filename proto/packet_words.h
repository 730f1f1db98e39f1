// The words for what is in a packet's headers: protocols, ports, code points
// and hardware addresses, as a spec file writes them.
#ifndef UPLINKD_PROTO_PACKET_WORDS_H_
#define UPLINKD_PROTO_PACKET_WORDS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "proto/units.h"
#include "reconciler/mark.h"
#include "reconciler/traffic.h"

namespace uplinkd {

// "tcp", "icmp", "gre" ... (RFC 5237's registry), or a number up to 255.
Parsed<std::uint8_t> ParseProtocol(const std::string& text);
std::string FormatProtocol(std::uint8_t protocol);

// "5060", or "10000-20000".
Parsed<PortRange> ParsePorts(const std::string& text);
std::string FormatPorts(const PortRange& range);

// "ef" (RFC 3246), "cs1" (RFC 2474), "af41" (RFC 2597), "va" (RFC 5865), "le"
// (RFC 8622), or a number up to 63.
Parsed<std::uint8_t> ParseDscp(const std::string& text);
std::string FormatDscp(std::uint8_t dscp);

// Six pairs of hex digits, "02:00:00:00:00:01".
Parsed<MacAddress> ParseMac(const std::string& text);
std::string FormatMac(const MacAddress& mac);

// "0x1000/0xff00", or a value alone, which is that of all bits. No bits of the
// value may lie outside the mask.
Parsed<Mark> ParseMark(const std::string& text);
std::string FormatMark(const Mark& mark);

// "1000", or "1000-1999".
Parsed<UidRange> ParseUids(const std::string& text);
std::string FormatUids(const UidRange& range);

// "10/second"; the units are second, minute, hour and day.
struct Rate {
  std::uint32_t count = 0;
  std::chrono::seconds unit{1};
};
Parsed<Rate> ParseRate(const std::string& text);
std::string FormatRate(const Rate& rate);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_PACKET_WORDS_H_
