// Layout: docs/design.md's two-uplink layout written by hand, as the commands
// that an engineer would type.
//
// It is the yardstick beside the agent: tests prove with it that the layout
// itself carries traffic, and the benchmark compares with it.
#ifndef UPLINKD_TESTS_LAB_LAYOUT_H_
#define UPLINKD_TESTS_LAB_LAYOUT_H_

#include <string>

namespace uplinkd::lab {

// Commands for the router of a two-uplink lab: routes and ip rules, mangle
// chains that give every second connection to the second uplink on average,
// and source NAT.
std::string LayoutScript();

// Only conntrack and source NAT: what every such router needs anyway.
std::string PlainNatScript();

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_LAYOUT_H_
