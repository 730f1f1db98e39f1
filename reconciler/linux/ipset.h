// The kernel's ipsets: by name above the edge, by number in its rules.
//
// Others make, fill and destroy them; we only ask. Both calls are about the
// network namespace of the calling thread, like those of libiptc, and need
// CAP_NET_ADMIN. The number of a set stays its name's as long as a rule refers
// to it: the kernel refuses to destroy or rename such a set, and a swap gives
// the number the other set's members along with its name.
#ifndef UPLINKD_RECONCILER_LINUX_IPSET_H_
#define UPLINKD_RECONCILER_LINUX_IPSET_H_

#include <cstdint>
#include <set>
#include <string>

#include "reconciler/result.h"

namespace uplinkd {

// kNotFound: there is no set of this name, it is one of IPv6 addresses (which
// the program takes for none in IPv4 rules), or the kernel knows no ipsets.
Result<std::uint16_t> FindIpset(const std::string& name);

// Those of `names` that exist. Fails with the kernel's words where it cannot be
// asked.
Result<std::set<std::string>> ReadIpsets(const std::set<std::string>& names);

// kNotFound: there is no set with this number.
Result<std::string> NameOfIpset(std::uint16_t number);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_IPSET_H_
