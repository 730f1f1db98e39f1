// FightDetector: finds objects that somebody undoes as often as we repair them.
//
//   Report --Note--> FightDetector --> names for the ForeignConflict condition
//                                  --> "slow down" for Schedule::PassEnded
//
// Pure; time comes in as an argument. Not every repeated repair is a fight: an
// object is named after some repairs in a minute, but repairs only slow down
// once they are so many that the router's time is wasted. A fight is over when
// the object needed no repair for longer than the longest back-off.
#ifndef UPLINKD_RECONCILER_FIGHT_H_
#define UPLINKD_RECONCILER_FIGHT_H_

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "reconciler/kernel.h"
#include "reconciler/plan.h"

namespace uplinkd {

struct FightOptions {
  std::chrono::milliseconds window{60000};
  std::size_t named_after = 10;    // repairs within the window
  std::size_t slowed_after = 600;  // repairs within the window
  std::chrono::milliseconds over_after{120000};
};

class FightDetector {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  explicit FightDetector(const FightOptions& options = {})
      : options_(options) {}

  // A pass for an unchanged spec and unchanged facts executed `plan` at `now`:
  // every done step of it is a repair. After a new spec call Forget() instead.
  void Note(const Plan& plan, const std::vector<Outcome>& outcomes, Time now);

  // Forgets all repairs, e.g. since another spec wants other objects.
  void Forget() { objects_.clear(); }

  // The objects fought over, by name: "rule 20101 for table 11", "chain
  // UPL-FATE in mangle".
  std::vector<std::string> Contested(Time now) const;

  // Whether the next pass should back off as if this one had failed.
  bool SlowDown(Time now) const;

 private:
  struct Repairs {
    std::deque<Time> recent;  // within the window, at most slowed_after
    bool named = false;
    bool slowed = false;
  };

  void NoteObject(const std::string& name, Time now);
  bool Over(const Repairs& repairs, Time now) const;

  FightOptions options_;
  std::map<std::string, Repairs> objects_;
};

// The names of the objects that a step is about, each once.
std::vector<std::string> ObjectsOf(const Step& step);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_FIGHT_H_
