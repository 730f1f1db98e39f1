// Links flap and vanish, addresses and gateways change, providers die.
#include <chrono>
#include <functional>
#include <thread>

#include "tests/chaos/disturbance.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;

using Suits = std::function<bool(const LineState&)>;

// One of the lines that suit; 0: none does.
std::size_t AnyLine(Chaos& chaos, const Suits& suits) {
  const std::uint64_t ticket = chaos.random().Below(1000);
  std::vector<std::size_t> lines;
  for (std::size_t n = 1; n <= kLines; ++n) {
    if (suits(chaos.world().line(n))) lines.push_back(n);
  }
  return lines.empty() ? 0 : lines[ticket % lines.size()];
}

void Touch(Chaos& chaos, std::size_t n, const std::string& what) {
  chaos.Say(lab::UplinkInterface(n) + " " + what);
  chaos.effects().touched.insert(n);
}

bool IsRoutable(const LineState& line) {
  return line.Routable();
}
bool IsUp(const LineState& line) {
  return line.plugged && line.up;
}

// Of several that are broken, one is whole again.
void Mend(Chaos& chaos) {
  const std::size_t n = AnyLine(chaos, [](const LineState& line) {
    return !line.Linked() || line.host == 0 || line.dead;
  });
  if (n == 0) return chaos.Say("nothing to mend");
  Touch(chaos, n, "is whole again");
  World& world = chaos.world();
  if (!world.line(n).plugged) world.PlugIn(n);
  if (!world.line(n).carrier) world.SetCarrier(n, true);
  if (!world.line(n).up) world.SetUp(n, true);
  if (world.line(n).host == 0) world.SetAddress(n, 2);
  world.SetDead(n, false);
}

void Flap(Chaos& chaos) {
  const auto times = chaos.random().Between(1, 6);
  const auto pause = milliseconds(chaos.random().Below(40));
  const std::size_t n = AnyLine(chaos, IsUp);
  if (n == 0) return Mend(chaos);
  Touch(chaos, n,
        "flaps " + std::to_string(times) + " times, down for " +
            std::to_string(pause.count()) + " ms");
  for (std::uint64_t i = 0; i < times; ++i) {
    chaos.world().SetUp(n, false);
    std::this_thread::sleep_for(pause);
    chaos.world().SetUp(n, true);
  }
}

void GoDown(Chaos& chaos) {
  const std::size_t n = AnyLine(chaos, IsUp);
  if (n == 0) return Mend(chaos);
  Touch(chaos, n, "goes down");
  chaos.world().SetUp(n, false);
}

void LoseCarrier(Chaos& chaos) {
  const std::size_t n =
      AnyLine(chaos, [](const LineState& line) { return line.Linked(); });
  if (n == 0) return Mend(chaos);
  Touch(chaos, n, "loses its carrier");
  chaos.world().SetCarrier(n, false);
}

void Replace(Chaos& chaos) {
  const std::size_t n =
      AnyLine(chaos, [](const LineState& line) { return line.plugged; });
  if (n == 0) return Mend(chaos);
  Touch(chaos, n, "is deleted, and there is another one of that name");
  chaos.world().Unplug(n);
  chaos.world().PlugIn(n);
}

void Vanish(Chaos& chaos) {
  const std::size_t n =
      AnyLine(chaos, [](const LineState& line) { return line.plugged; });
  if (n == 0) return Mend(chaos);
  Touch(chaos, n, "is deleted");
  chaos.world().Unplug(n);
}

void ChangeAddress(Chaos& chaos) {
  const bool removed = chaos.random().Chance(25);
  const std::size_t n = AnyLine(chaos, IsRoutable);
  if (n == 0) return Mend(chaos);
  const int host = removed ? 0 : chaos.world().line(n).host == 2 ? 3 : 2;
  Touch(chaos, n,
        removed ? "loses its address"
                : "has the address ." + std::to_string(host));
  chaos.world().SetAddress(n, host);
}

// Connections go on: both lead to the same provider.
void ChangeGateway(Chaos& chaos) {
  const auto times = chaos.random().Between(1, 5);
  const std::size_t n = AnyLine(chaos, IsRoutable);
  if (n == 0) return Mend(chaos);
  chaos.Say(lab::UplinkInterface(n) + " has another gateway, " +
            std::to_string(times) + " times");
  for (std::uint64_t i = 0; i < times; ++i) {
    chaos.world().SetGateway(n, chaos.world().line(n).gateway == 1 ? 9 : 1);
  }
}

// Only where probes find it out: nobody else can.
void Die(Chaos& chaos) {
  const std::uint64_t ticket = chaos.random().Below(1000);
  std::vector<std::size_t> lines;
  for (std::size_t n = 1; n <= kLines; ++n) {
    const LineState& line = chaos.world().line(n);
    if (line.Linked() && !line.dead && chaos.spec().Probes(n)) {
      lines.push_back(n);
    }
  }
  if (lines.empty()) return Mend(chaos);
  const std::size_t n = lines[ticket % lines.size()];
  Touch(chaos, n, "is dead behind a link that is up");
  chaos.world().SetDead(n, true);
}

}  // namespace

Disturbances OfLines() {
  return {{"link flaps", 4, Flap},
          {"link goes down", 2, GoDown},
          {"carrier lost", 2, LoseCarrier},
          {"link replaced", 3, Replace},
          {"link deleted", 1, Vanish},
          {"address changed", 3, ChangeAddress},
          {"gateway changed", 3, ChangeGateway},
          {"line dies", 2, Die},
          {"line mended", 7, Mend}};
}

}  // namespace uplinkd::chaos
