#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "tests/chaos/checks.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// As long as TCP may wait after some seconds without a way.
constexpr seconds kPatience{12};
// New connections that are opened for a look.
constexpr int kLooks = 4;
// Lasting connections from the client, and from outside to each uplink.
constexpr std::size_t kOutbound = 12;
constexpr std::size_t kInbound = 2;

// The line that an answer of the server names: "198.18.N.2".
std::size_t LineOf(const std::string& answer) {
  const std::string start = "198.18.";
  if (!answer.starts_with(start)) return 0;
  return std::strtoul(answer.c_str() + start.size(), nullptr, 10);
}

// Whether all specs of the round hold to this.
bool AllSpecs(const Effects& effects,
              const std::function<bool(const ChaosSpec&)>& holds) {
  return std::ranges::all_of(effects.specs, holds);
}

// Whether the round may have ended it, by what it did or was told to do.
bool MayEnd(Chaos& chaos, const Talk& talk) {
  const Effects& effects = chaos.effects();
  const auto drain = chaos.drains().find(talk.line);
  const bool deadline = drain != chaos.drains().end() && drain->second;
  if (effects.touched.contains(talk.line) || deadline ||
      !chaos.Carrying().contains(talk.line)) {
    return true;
  }
  // The kernel ends a masqueraded one whose packet leaves by another link, as
  // may happen while rules of ours are missing.
  if (effects.damaged && talk.masquerade) return true;
  return !AllSpecs(effects, [&](const ChaosSpec& spec) {
    return chaos.CarryingUnder(spec).contains(talk.line) &&
           !spec.CutsOnFailback() &&
           !(effects.slowed && spec.Probes(talk.line));
  });
}

// Whether the agent has to have cut it: its uplink is lost, and another one can
// take its place. One that comes in has no packet of the client's by which the
// client could learn of it.
bool MustEnd(Chaos& chaos, const Talk& talk) {
  const Effects& effects = chaos.effects();
  return !talk.inbound && !effects.began_anew &&
         !chaos.Carrying().contains(talk.line) &&
         chaos.SilentlyDead().empty() &&
         AllSpecs(effects, [&](const ChaosSpec& spec) {
           return spec.Carries(talk.line) &&
                  spec.CutsOnFailover(talk.line, chaos.ReadyUnder(spec));
         });
}

std::string Name(const Talk& talk) {
  return std::string("a connection ") + (talk.inbound ? "to " : "of ") +
         lab::UplinkInterface(talk.line);
}

void Judge(Chaos& chaos, const Talk& talk, Counts& counts) {
  ++counts.talks;
  const Talks::Fate fate = Talks::FateOf(talk);
  if (MustEnd(chaos, talk)) {
    if (fate == Talks::Fate::kEnded) {
      ++counts.cut_as_asked;
    } else {
      ++counts.hung;
      chaos.Violate(Name(talk) + ", which is lost, was not cut");
    }
    return;
  }
  if (fate == Talks::Fate::kAnswers) return;
  if (MayEnd(chaos, talk)) {
    ++counts.lost;
    return;
  }
  ++counts.lost_needlessly;
  chaos.Violate(Name(talk) +
                " is lost: " + (talk.fault.empty() ? "no answer" : talk.fault));
}

// Nothing in the round was a reason for a new connection to fail: nobody
// touched an uplink or what is ours, no line is dead (a spec with other probes
// gives it connections until they find it out), and every spec has a choice
// that the others do not take away.
bool MayNothingFail(Chaos& chaos) {
  const Effects& effects = chaos.effects();
  if (effects.damaged || effects.slowed || !effects.served ||
      !effects.touched.empty() || !chaos.world().Silent().empty()) {
    return false;
  }
  Lines chosen;
  for (const ChaosSpec& spec : effects.specs) {
    const Lines choice = spec.ChoiceOfFirst(chaos.ReadyUnder(spec));
    if (choice.empty()) return false;
    chosen.insert(choice.begin(), choice.end());
  }
  for (const auto& [line, deadline] : chaos.drains()) {
    if (deadline) return false;
  }
  return AllSpecs(effects, [&](const ChaosSpec& spec) {
    const Lines carrying = chaos.CarryingUnder(spec);
    return !spec.CutsOnFailback() && std::ranges::includes(carrying, chosen);
  });
}

void CheckCalls(Chaos& chaos, const Callers::Tally& tally, Counts& counts) {
  counts.calls += tally.calls;
  if (!MayNothingFail(chaos)) {
    counts.failed_calls += tally.failures.size();
    return;
  }
  ++counts.quiet_rounds;
  if (!tally.failures.empty()) {
    chaos.Violate(std::to_string(tally.failures.size()) + " of " +
                  std::to_string(tally.calls) +
                  " new connections failed: " + tally.failures.front());
  }
  // What comes in by an uplink that is not in the spec is not ours to answer.
  const Effects& effects = chaos.effects();
  const Lines carrying = chaos.CarryingUnder(effects.specs.front());
  if (!AllSpecs(effects, [&](const ChaosSpec& spec) {
        return chaos.CarryingUnder(spec) == carrying;
      })) {
    return;
  }
  const std::uint64_t wrong = chaos.world().lab().WrongSources();
  if (wrong != effects.wrong_sources) {
    chaos.Violate(std::to_string(wrong - effects.wrong_sources) +
                  " packets left with another uplink's source");
  }
}

// `from` is the ordinal of the client's address.
void LookAtNew(Chaos& chaos, int from, const Lines& choice) {
  if (choice.empty() || !chaos.SilentlyDead().empty()) return;
  for (int i = 0; i < kLooks; ++i) {
    Result<lab::Connection> connection = lab::Connection::Open(
        chaos.world().lab().client(), {.source = lab::ClientAddress(from)});
    const Result<std::string> answer =
        connection ? connection->Ask() : tl::unexpected(connection.error());
    if (!answer) {
      return chaos.Violate("a new connection of client " +
                           std::to_string(from) +
                           " fails: " + answer.error().message);
    }
    if (!choice.contains(LineOf(*answer))) {
      return chaos.Violate("a new connection of client " +
                           std::to_string(from) + " goes by " + *answer +
                           ", which is not among its choice");
    }
  }
}

void Open(Chaos& chaos, const lab::Namespace& where,
          const lab::Endpoint& endpoint, std::size_t inbound_line) {
  Result<lab::Connection> connection = lab::Connection::Open(where, endpoint);
  const Result<std::string> answer =
      connection ? connection->Ask() : tl::unexpected(connection.error());
  if (!answer) {
    return chaos.Violate("a connection to " + endpoint.destination +
                         " fails: " + answer.error().message);
  }
  const bool inbound = inbound_line != 0;
  const std::size_t line = inbound ? inbound_line : LineOf(*answer);
  const ChaosUplink* const uplink = chaos.spec().Find(line);
  if (uplink == nullptr) {
    return chaos.Violate("a connection goes by " + *answer);
  }
  chaos.talks().Add({.connection = std::move(*connection),
                     .answer = *answer,
                     .line = line,
                     .inbound = inbound,
                     .masquerade = uplink->nat == "masquerade"});
}

}  // namespace

void CheckTraffic(Chaos& chaos, Counts& counts) {
  chaos.talks().Await(
      [&](const Talk& talk) {
        return MustEnd(chaos, talk) || !MayEnd(chaos, talk);
      },
      kPatience);
  std::vector<std::uint16_t> gone = chaos.talks().Keep([&](const Talk& talk) {
    Judge(chaos, talk, counts);
    return Talks::FateOf(talk) == Talks::Fate::kAnswers;
  });
  const Callers::Tally tally =
      chaos.callers().Take([&](const Callers::Tally& calls) {
        gone.insert(gone.end(), calls.ports.begin(), calls.ports.end());
        if (!gone.empty() || !calls.failures.empty()) {
          chaos.world().EndConnections(gone);
        }
      });
  CheckCalls(chaos, tally, counts);
  const Lines ready = chaos.Ready();
  LookAtNew(chaos, 0, chaos.spec().ChoiceOfFirst(ready));
  LookAtNew(chaos, 1, chaos.spec().ChoiceOfSecond(ready));
}

void OpenTalks(Chaos& chaos) {
  World& world = chaos.world();
  if (chaos.effects().lost_forwards) world.AddForwards();
  std::size_t outbound = 0;
  std::map<std::size_t, std::size_t> inbound;
  chaos.talks().Keep([&](const Talk& talk) {
    if (talk.inbound) {
      ++inbound[talk.line];
    } else {
      ++outbound;
    }
    return true;
  });
  if (!chaos.SilentlyDead().empty()) return;
  const Lines choice = chaos.spec().ChoiceOfFirst(chaos.Ready());
  for (; outbound < kOutbound && !choice.empty(); ++outbound) {
    Open(chaos, world.lab().client(), {.source = lab::ClientAddress(0)}, 0);
  }
  for (const std::size_t n : chaos.Carrying()) {
    const std::string address = "198.18." + std::to_string(n) + "." +
                                std::to_string(world.line(n).host);
    for (std::size_t i = inbound[n]; i < kInbound; ++i) {
      Open(chaos, world.lab().server(), {.destination = address, .port = 8081},
           n);
    }
  }
}

}  // namespace uplinkd::chaos
