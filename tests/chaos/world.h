// World: the lab's router, and two copies of it that nobody disturbs.
//
//   router   the lab's, with the agent; everything happens to it
//   twin     gets every edit that is not uplinkd's business, and has no agent:
//            what is foreign in the router must read as all that it has
//   mirror   the same with an agent that starts from nothing in every round:
//            what is ours in the router must read as what is ours in it
//
// The copies have the router's links, whose other ends are in one namespace
// each, which answers as gateways and server do. Not for production code.
#ifndef UPLINKD_TESTS_CHAOS_WORLD_H_
#define UPLINKD_TESTS_CHAOS_WORLD_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/chaos/spec.h"
#include "tests/lab/lab.h"

namespace uplinkd::chaos {

// How a line is now. Lines begin as the lab makes them.
struct LineState {
  bool plugged = true;
  bool up = true;
  bool carrier = true;
  int host = 2;       // of the address 198.18.N.HOST; 0: it has none
  int gateway = 1;    // of main's default route by it: 198.18.N.GATEWAY
  bool dead = false;  // the provider forwards nothing

  bool Linked() const { return plugged && up && carrier; }
  // Without this no route by it can be added.
  bool Routable() const { return plugged && up && host != 0; }
};

class World {
 public:
  // Builds everything, with foreign objects in the routers. Fails with the
  // words of the program that failed.
  static Result<std::unique_ptr<World>> Create();

  lab::Lab& lab() { return *lab_; }
  const lab::Namespace& router() const { return lab_->router(); }
  const lab::Namespace& twin() const { return twin_.router; }
  const lab::Namespace& mirror() const { return mirror_.router; }
  const LineState& line(std::size_t n) const { return lines_.at(n - 1); }

  // Runs a script in the router alone; or in the router, then in the copies.
  // What goes wrong is kept: see TakeFaults().
  void OnRouter(const std::string& script);
  void Everywhere(const std::string& script);
  // The same with another script for the copies.
  void Everywhere(const std::string& router, const std::string& copies);
  // What failed since the last call.
  std::vector<std::string> TakeFaults();

  // Forgets connections that were begun from one of these ports, and such that
  // were never set up. Their sockets at the other end would send again and
  // again, by ways that are not theirs any more; their entries in the router
  // would be those of new connections from the same port. No connection may be
  // set up meanwhile.
  void EndConnections(const std::vector<std::uint16_t>& ports);

  void SetUp(std::size_t n, bool up);
  void SetCarrier(std::size_t n, bool carrier);
  void SetDead(std::size_t n, bool dead);
  void SetAddress(std::size_t n, int host);
  void SetGateway(std::size_t n, int gateway);
  void Unplug(std::size_t n);
  // With the address and gateway of the beginning.
  void PlugIn(std::size_t n);

  // Connections from outside to port 8081 of an uplink go to the client's echo
  // service. For when that foreign rule was lost.
  void AddForwards();

  // Whether what leaves by the line arrives, if `uplink` is set up.
  bool Works(const ChaosUplink& uplink) const;
  // Lines that do not work although nobody but a probe could tell.
  Lines Silent() const;

 private:
  struct Copy {
    lab::Namespace router;
    lab::Namespace far;
  };

  explicit World(std::unique_ptr<lab::Lab> lab, Copy twin, Copy mirror)
      : lab_(std::move(lab)),
        twin_(std::move(twin)),
        mirror_(std::move(mirror)) {}

  static Result<Copy> MakeCopy();
  void BuildCopy(const Copy& copy);
  void PlugInto(const Copy& copy, std::size_t n);
  void Run(const lab::Namespace& where, const std::string& script);
  void SetFar(std::size_t n, const std::string& script);
  std::string DefaultRoute(std::size_t n) const;

  std::unique_ptr<lab::Lab> lab_;
  Copy twin_;
  Copy mirror_;
  std::array<LineState, kLines> lines_;
  std::vector<std::string> faults_;
};

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_WORLD_H_
