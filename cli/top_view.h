// What "uplinkctl top" shows, as lines of text.
//
// Pure: the same for a terminal, a pipe and a test.
#ifndef UPLINKD_CLI_TOP_VIEW_H_
#define UPLINKD_CLI_TOP_VIEW_H_

#include <google/protobuf/timestamp.pb.h>

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

  struct Rates {  // settled, in bytes per second, oldest first
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
  bool answered = false;  // else the agent has told nothing so far
  v1::Status status;
  v1::EventsResponse events;  // oldest first
  RateHistory history;
  google::protobuf::Timestamp now;  // when the agent was asked last
  // What keeps the agent from answering, and for how long it has not; "" while
  // it does.
  std::string trouble;
};

struct TopShape {
  std::size_t width = 80;
  std::size_t height = 0;  // 0: as many lines as there is something to say
  bool unicode = true;     // else bars and curves of ASCII
  std::size_t first = 0;   // how many uplinks to scroll past, if not all fit
  bool keys = false;       // say what the keys do, rather than what happened
};

struct TopPicture {
  std::vector<StyledLine> lines;
  std::size_t first = 0;  // uplinks above those that are shown
  std::size_t shown = 0;  // uplinks that are shown
};

// No line is wider than the shape, and there are no more than fit. Uplinks that
// are not Ready come first. Each has a line where not all have room for more,
// and is scrolled where even these do not fit. What is left of the height goes
// to the latest events, newest first; a few have room before that. The last
// line of a bounded height says what the keys do.
TopPicture DrawTop(const TopFrame& frame, const TopShape& shape);

// Where `key` scrolls to from that picture: a TopShape::first.
std::size_t ScrollTo(Terminal::Key key, const TopPicture& picture);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_TOP_VIEW_H_
