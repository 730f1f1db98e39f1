// What "uplinkctl top" shows, as lines of text.
//
// Pure: the same for a terminal, a pipe and a test.
#ifndef UPLINKD_CLI_TOP_VIEW_H_
#define UPLINKD_CLI_TOP_VIEW_H_

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cli/terminal.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// The rates of the last looks, by uplink. Uplinks that are gone are forgotten.
class RateHistory {
 public:
  static constexpr std::size_t kMost = 120;  // looks

  struct Rates {  // bytes per second, oldest first
    std::deque<double> receive;
    std::deque<double> transmit;
  };

  void Note(const v1::Status& status);
  // Nothing for an uplink without rates of its own.
  const Rates* Of(const std::string& uplink) const;

 private:
  std::map<std::string, Rates> rates_;
};

struct TopFrame {
  v1::Status status;
  v1::EventsResponse events;  // oldest first
  RateHistory history;
  // What keeps the agent from answering, and for how long it has not; "" while
  // it does.
  std::string trouble;
};

struct TopShape {
  std::size_t width = 80;
  std::size_t height = 0;  // 0: as many lines as there is something to say
  bool unicode = true;     // else bars and curves of ASCII
};

// No line is wider than the shape, and there are no more than fit. What is left
// of the height goes to the latest events, newest first.
std::vector<StyledLine> DrawTop(const TopFrame& frame, const TopShape& shape);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_TOP_VIEW_H_
