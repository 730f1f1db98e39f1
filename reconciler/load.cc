#include "reconciler/load.h"

#include <algorithm>
#include <cstddef>

#include "reconciler/water_fill.h"

namespace uplinkd {
namespace {

// See Matters().
constexpr double kMisplacedShare = 0.1;
constexpr double kMisplacedConnections = 0.5;

UplinkLoad LoadOf(const Loads& loads, const std::string& uplink) {
  const auto found = loads.find(uplink);
  return found == loads.end() ? UplinkLoad{} : found->second;
}

// What comes in until the next look. If little does, it is still the next
// connection that has to go somewhere.
double ArrivalsTo(const CountedChoice& choice, const Loads& loads) {
  double arrivals = 0;
  for (const CountedMember& member : choice) {
    arrivals += LoadOf(loads, member.uplink).arrivals;
  }
  return std::max(1.0, arrivals);
}

double TotalShare(const CountedChoice& choice) {
  double total = 0;
  for (const CountedMember& member : choice) {
    total += static_cast<double>(member.share);
  }
  return total;
}

// The part of new connections that go elsewhere than `wanted` has it.
double Misplaced(const CountedChoice& choice, const CountedChoice& wanted) {
  const double total = TotalShare(choice);
  const double wanted_total = TotalShare(wanted);
  double misplaced = 0;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    misplaced +=
        std::max(0.0, static_cast<double>(choice[i].share) / total -
                          static_cast<double>(wanted[i].share) / wanted_total);
  }
  return misplaced;
}

bool IsFullEvenByHalf(const CountedChoice& choice, Loads loads,
                      std::size_t member) {
  loads[choice[member].uplink].connections /= 2;
  return WithShares(choice, loads)[member].share == 0;
}

}  // namespace

CountedChoice WithShares(CountedChoice choice, const Loads& loads) {
  if (loads.empty() || choice.empty()) {
    for (CountedMember& member : choice) member.share = member.weight;
    return choice;
  }
  std::vector<Vessel> vessels;
  for (const CountedMember& member : choice) {
    const UplinkLoad load = LoadOf(loads, member.uplink);
    vessels.push_back({.held = static_cast<double>(load.connections),
                       .width = static_cast<double>(member.weight)});
  }
  const std::vector<std::uint64_t> shares =
      InParts(WaterFill(vessels, ArrivalsTo(choice, loads)), kShareParts);
  for (std::size_t i = 0; i < choice.size(); ++i) choice[i].share = shares[i];
  return choice;
}

bool Matters(const CountedChoice& choice, const Loads& loads) {
  const CountedChoice wanted = WithShares(choice, loads);
  const double misplaced = Misplaced(choice, wanted);
  if (misplaced >= kMisplacedShare &&
      misplaced * ArrivalsTo(choice, loads) >= kMisplacedConnections) {
    return true;
  }
  for (std::size_t i = 0; i < choice.size(); ++i) {
    if (choice[i].share == 0 && wanted[i].share != 0) return true;
    if (choice[i].share != 0 && wanted[i].share == 0 &&
        IsFullEvenByHalf(choice, loads, i)) {
      return true;
    }
  }
  return false;
}

}  // namespace uplinkd
