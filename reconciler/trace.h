// Trace: what the chains that are in the kernel now would do with the first
// packet of a connection.
//
// Pure. Walks an observed table, not a desired one, so the answer holds for
// what the kernel has, whatever a spec says. Where the kernel decides by
// something that nobody can read (dice, rates, counters) the walk takes every
// way, and says by what it is decided and, where they are known, the chances.
#ifndef UPLINKD_RECONCILER_TRACE_H_
#define UPLINKD_RECONCILER_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/chain.h"

namespace uplinkd {

// The connection that is asked about.
struct Flow {
  std::string in_interface;   // "": the router opens it itself
  std::string out_interface;  // "": not known yet
  Address source;
  Address destination;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t dscp = 0;
  std::optional<MacAddress> source_mac;
  std::uint32_t uid = 0;       // of the program that opens it
  std::uint32_t mark = 0;      // as other programs have set it
  std::uint32_t connmark = 0;  // of the connection, where it has a fate
};

// A rule that the packet meets and that holds for it.
struct TraceStep {
  std::string chain;
  std::size_t number = 0;  // in its chain, from 1
  std::string rule;        // in the words of iptables

  friend auto operator<=>(const TraceStep&, const TraceStep&) = default;
};

// One way that it can go.
struct TraceOutcome {
  std::uint32_t mark = 0;        // all bits, behind the hook
  std::optional<double> chance;  // 0 to 1; none: nobody can tell

  friend auto operator<=>(const TraceOutcome&, const TraceOutcome&) = default;
};

struct Trace {
  // What is sure to happen, up to the first thing that is not.
  std::vector<TraceStep> steps;
  // "at random", "by the measured rates": "" if all is sure.
  std::string decided_by;
  std::vector<TraceOutcome> outcomes;  // by mark, at least one
};

// The walk through our jumps in `hook`. Rules of others stand behind them, or
// in other tables, and are not looked at.
Trace TracePacket(const XtTableState& table, XtHook hook, const Flow& flow);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_TRACE_H_
