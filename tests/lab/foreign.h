// Foreign: the router's state that is not uplinkd's, as text, for comparison.
//
// The very words of iptables-legacy-save, `ip rule` and `ip route`, with what
// is ours by docs/design.md left out. Two texts are equal only if every
// foreign byte is. Counters of foreign rules are part of it on request (they
// move by themselves while traffic flows).
#ifndef UPLINKD_TESTS_LAB_FOREIGN_H_
#define UPLINKD_TESTS_LAB_FOREIGN_H_

#include <string>

#include "tests/lab/namespace.h"

namespace uplinkd::lab {

enum class Counters { kCompare, kIgnore };

std::string ForeignState(const Namespace& where, Counters counters);

// The same text without the counters that kCompare left in.
std::string WithoutCounters(const std::string& text);

// Only what is ours, in the same words, without counters; "" when nothing is.
std::string OwnState(const Namespace& where);

// The same without the choice of an uplink, which may follow measurements and
// then moves by itself.
std::string OwnStateWithoutChoice(const Namespace& where);

// Puts rules, chains, routes and ip rules of somebody else everywhere that
// uplinkd works: other tables, the same tables, the same builtin chains, with
// counters. False with the program's words in `error` if that fails.
bool AddForeignObjects(const Namespace& where, std::string* error);

// A commit of the mangle table by somebody else, which leaves it as it was.
inline constexpr char kForeignCommit[] =
    "iptables-legacy -t mangle -A FORWARD -m comment --comment foreign\n"
    "iptables-legacy -t mangle -D FORWARD -m comment --comment foreign\n";

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_FOREIGN_H_
