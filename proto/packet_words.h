// The words for what is in a packet's headers: protocols, ports, code points
// and hardware addresses, as a spec file writes them.
#ifndef UPLINKD_PROTO_PACKET_WORDS_H_
#define UPLINKD_PROTO_PACKET_WORDS_H_

#include <cstdint>
#include <string>

#include "proto/units.h"
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

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_PACKET_WORDS_H_
