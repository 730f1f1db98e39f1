// Codec helpers: values of ours to and from netlink attributes.
#ifndef UPLINKD_RECONCILER_LINUX_NL_CODEC_H_
#define UPLINKD_RECONCILER_LINUX_NL_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reconciler/ip.h"
#include "reconciler/linux/nl_socket.h"

struct nlattr;

namespace uplinkd {

// Nothing for families that we do not route.
std::optional<Family> FamilyOf(int system_family);

// The attribute `type` in `nest`. Null if either is missing.
const nlattr* FindIn(const nlattr* nest, int type);

// The number in an attribute. 0 if it has no room for one: libnl would read on
// into what follows.
std::uint8_t DecodeU8(const nlattr* attribute);
std::uint32_t DecodeU32(const nlattr* attribute);
// Up to the NUL, or all of it if there is none.
std::string DecodeText(const nlattr* attribute);

// The first 4 or 16 bytes of the attribute. 0.0.0.0 or :: if it is shorter.
Address DecodeAddress(const nlattr* attribute, Family family);
void PutAddress(NlRequest& request, int attribute, const Address& address);

// Adds `name: bytes in hexadecimal` to a description of what is not modelled.
void AppendUnknown(std::string& extra, std::string_view name,
                   const nlattr* attribute);
// Adds `name value`.
void AppendUnknown(std::string& extra, std::string_view name,
                   std::uint32_t value);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NL_CODEC_H_
