// The agent is killed, ended, stopped and held up, and swamped with events.
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/chaos/disturbance.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;

void Kill(Chaos& chaos) {
  const bool at_once = chaos.random().Chance(50);
  chaos.Say(std::string("kill the agent") +
            (at_once ? ", and start it again" : ""));
  chaos.processes().Kill();
  chaos.effects().began_anew = true;
  if (at_once) chaos.processes().Agent();
}

void Terminate(Chaos& chaos) {
  const bool at_once = chaos.random().Chance(50);
  chaos.Say(std::string("SIGTERM for the agent") +
            (at_once ? ", and start it again" : ""));
  chaos.processes().Terminate();
  chaos.effects().began_anew = true;
  if (at_once) chaos.processes().Agent();
}

void Stop(Chaos& chaos) {
  chaos.Say("SIGSTOP for the agent, until it is needed");
  chaos.processes().Stop();
}

void SlowDisk(Chaos& chaos) {
  const auto delay = milliseconds(chaos.random().Between(20, 200));
  chaos.Say("each sync and rename of the agent takes " +
            std::to_string(delay.count()) + " ms");
  chaos.processes().SlowDisk(delay);
  chaos.effects().slowed = true;
}

void HoldLock(Chaos& chaos) {
  const auto duration = milliseconds(chaos.random().Between(200, 2000));
  chaos.Say("hold the xtables lock for " + std::to_string(duration.count()) +
            " ms");
  chaos.processes().HoldLock(duration);
}

// Events that no filter keeps from the agent: of rules, addresses and routes
// that are not ours, all gone again in the end.
std::string Churn(int count, const std::string& object) {
  std::ostringstream lines;
  for (int i = 0; i < count; ++i) {
    const std::string host =
        std::to_string(i / 250) + "." + std::to_string(i % 250);
    std::string words;
    if (object == "rule") {
      words = " priority 31000 from 10.94." + host + " lookup 500";
    } else if (object == "address") {
      words = " 10.95." + host + "/32 dev vpn0";
    } else {
      words = " 10.96." + host + "/32 dev vpn0 table 600 proto 99";
    }
    lines << object << " add" << words << "\n"
          << object << " del" << words << "\n";
  }
  return lines.str();
}

void Overrun(Chaos& chaos) {
  static const std::vector<std::string> objects = {"rule", "address", "route"};
  const std::string& object = chaos.random().AnyOf(objects);
  const bool stopped = chaos.random().Chance(70);
  // The agent has room for 20000; what is more is lost.
  // As many addresses would take a busy machine half a minute.
  const bool flood = stopped && chaos.random().Chance(60) && object == "rule";
  const int count = flood ? 12000 : 2000;
  chaos.Say(std::to_string(2 * count) + " events about a foreign " + object +
            (stopped ? ", while the agent is stopped" : ""));
  const std::string file = (chaos.world().lab().directory() / "churn").string();
  std::ofstream(file) << Churn(count, object);
  if (stopped) chaos.processes().Stop();
  chaos.world().OnRouter("ip -batch " + file);
}

}  // namespace

Disturbances OfAgents() {
  return {{"kill", 3, Kill},          {"SIGTERM", 2, Terminate},
          {"SIGSTOP", 3, Stop},       {"slow disk", 2, SlowDisk},
          {"lock held", 3, HoldLock}, {"event storm", 3, Overrun}};
}

}  // namespace uplinkd::chaos
