// What may be the name of an uplink, the name of an interface, an address.
//
// The rules of single values that Validate() builds on. Each answers with the
// fault as the end of a sentence, or "" for a good value. Pure.
#ifndef UPLINKD_RECONCILER_NAMES_H_
#define UPLINKD_RECONCILER_NAMES_H_

#include <string>
#include <string_view>

#include "reconciler/ip.h"

namespace uplinkd {

// An uplink's name becomes the name of a routing table and a label of the
// metrics.
std::string UplinkNameFault(const std::string& name);

// The names of policies and traffic rules become parts of the names of chains.
std::string PolicyNameFault(const std::string& name);
std::string TrafficRuleNameFault(const std::string& name);

// By the rules of the kernel (dev_valid_name() in net/core/dev.c), and nothing
// that iptables would read as a pattern.
std::string InterfaceFault(const std::string& name);

// Whether `prefix` can be a network or a host that we route.
std::string AddressFault(const Prefix& prefix);
// The same, where only that family has a meaning.
std::string AddressFault(const Prefix& prefix, Family family);

// `text` in double quotes, fit for a message to a person: control characters
// replaced and, beyond 60 bytes, cut.
std::string Quote(std::string_view text);

// Whether `c` may stand in the name of an interface: no space, no control
// character.
bool IsPrintable(char c);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_NAMES_H_
