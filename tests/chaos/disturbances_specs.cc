// Specs come in every way that there is, and operators drain and pause.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/chaos/disturbance.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{20};

// Hands it over and does not wait for the kernel.
void Apply(Chaos& chaos, const ChaosSpec& spec) {
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr) return;
  const Result<v1::ApplyResponse> applied =
      agent->Apply(spec.Text(), milliseconds(0));
  if (!applied) {
    chaos.Violate("a good spec is refused: " + applied.error().message + "\n" +
                  spec.Text());
  }
}

void AwaitRevision(Chaos& chaos, const std::string& revision) {
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr) return;
  const Result<v1::Status> status = agent->WaitFor(
      [&](const v1::Status& now) {
        return now.revision() == revision && !now.has_pending_confirm();
      },
      kPatience);
  if (!status) {
    chaos.Violate("spec " + revision +
                  " is not followed: " + status.error().message);
  }
}

void ApplySpec(Chaos& chaos) {
  const ChaosSpec spec = chaos.NewSpec();
  chaos.Say("apply " + spec.revision());
  Apply(chaos, spec);
  chaos.Follow(spec);
}

void ApplyAgain(Chaos& chaos) {
  chaos.Say("apply " + chaos.spec().revision() + " again");
  Apply(chaos, chaos.spec());
}

// Several in a row, faster than the kernel is brought to them.
void ApplyMany(Chaos& chaos) {
  const auto count = chaos.random().Between(3, 6);
  for (std::uint64_t i = 0; i < count; ++i) ApplySpec(chaos);
}

void ChangeFile(Chaos& chaos) {
  const ChaosSpec spec = chaos.NewSpec();
  chaos.Say("file of --spec becomes " + spec.revision());
  if (chaos.processes().Agent() == nullptr) return;
  chaos.Follow(spec);
  chaos.processes().ReplaceFile();
  AwaitRevision(chaos, spec.revision());
}

void OfferBadSpec(Chaos& chaos) {
  chaos.Say("apply a bad spec");
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr) return;
  std::string text = chaos.spec().Text();
  const std::string good = "use: ";
  text.insert(text.rfind(good) + good.size(), "nobody-");
  if (agent->Apply(text, milliseconds(0))) {
    chaos.Violate("a bad spec is taken:\n" + text);
  }
}

// With a time that is over soon, or not before somebody answers.
std::string ApplyToBeConfirmed(Chaos& chaos, const ChaosSpec& spec,
                               const std::string& within) {
  if (chaos.processes().Agent() == nullptr) return "";
  const std::string file =
      (chaos.world().lab().directory() / "risky.yaml").string();
  std::ofstream(file) << spec.Text();
  chaos.processes().Ctl({"apply", "-f", file, "--confirm-within", within,
                         "--confirm-id", spec.revision()});
  return spec.revision();
}

void Confirm(Chaos& chaos) {
  const ChaosSpec spec = chaos.NewSpec();
  chaos.Say("apply " + spec.revision() + ", and confirm it");
  const std::string id = ApplyToBeConfirmed(chaos, spec, "60s");
  chaos.processes().Ctl({"confirm", id});
  chaos.Follow(spec);
}

void Cancel(Chaos& chaos) {
  const ChaosSpec spec = chaos.NewSpec();
  chaos.Say("apply " + spec.revision() + " to be confirmed, and cancel it");
  const std::string id = ApplyToBeConfirmed(chaos, spec, "60s");
  chaos.FollowForAWhile(spec);
  chaos.processes().Ctl({"cancel", id});
}

void LeaveToRollBack(Chaos& chaos) {
  const ChaosSpec spec = chaos.NewSpec();
  const bool killed = chaos.random().Chance(50);
  chaos.Say("apply " + spec.revision() + ", and do not confirm it" +
            (killed ? ", and kill the agent" : ""));
  ApplyToBeConfirmed(chaos, spec, "1s");
  chaos.FollowForAWhile(spec);
  if (killed) {
    chaos.processes().Kill();
    chaos.effects().began_anew = true;
  }
  AwaitRevision(chaos, chaos.spec().revision());
}

// The generation that has it; "" if the agent does not know it.
std::string GenerationOf(Chaos& chaos, const std::string& revision) {
  const lab::CommandResult listed =
      chaos.processes().Ctl({"history", "-o", "json"});
  const nlohmann::json history =
      nlohmann::json::parse(listed.output, nullptr, false);
  std::string generation;
  if (history.is_discarded() || !history.contains("entries")) return "";
  for (const nlohmann::json& entry : history["entries"]) {
    if (entry.value("revision", "") != revision) continue;
    const nlohmann::json& number = entry["generation"];
    generation = number.is_string() ? number.get<std::string>() : number.dump();
  }
  return generation;
}

void RollBack(Chaos& chaos) {
  const auto ticket = chaos.random().Below(1000);
  if (chaos.earlier().empty()) return ApplySpec(chaos);
  const ChaosSpec spec = chaos.earlier()[ticket % chaos.earlier().size()];
  chaos.Say("roll back to " + spec.revision());
  if (chaos.processes().Agent() == nullptr) return;
  const std::string generation = GenerationOf(chaos, spec.revision());
  if (generation.empty()) {
    return chaos.Violate("the history has no " + spec.revision());
  }
  chaos.processes().Ctl({"rollback", "--to", generation});
  chaos.Follow(spec);
}

// Killed while it saves and applies: the next one goes on with the new spec,
// which it finds in the file of --spec if it was not saved in time.
void KillDuringApply(Chaos& chaos) {
  const ChaosSpec spec = chaos.NewSpec();
  const auto pause = milliseconds(chaos.random().Below(40));
  const bool slow = chaos.random().Chance(30);
  chaos.Say("apply " + spec.revision() + ", and kill the agent after " +
            std::to_string(pause.count()) + " ms" +
            (slow ? ", on a slow disk" : ""));
  lab::RouterAgent* const agent = chaos.processes().Agent();
  if (agent == nullptr) return;
  if (slow) chaos.processes().SlowDisk(milliseconds(30));
  std::thread apply(
      [&] { static_cast<void>(agent->Apply(spec.Text(), milliseconds(0))); });
  std::this_thread::sleep_for(pause);
  agent->process().Signal(SIGKILL);
  apply.join();
  chaos.processes().Kill();
  chaos.Follow(spec);
  chaos.effects().began_anew = true;
  chaos.effects().slowed |= slow;
}

void Drain(Chaos& chaos) {
  const ChaosUplink uplink = chaos.random().AnyOf(chaos.spec().uplinks());
  const bool deadline = chaos.random().Chance(30);
  if (uplink.state == "disabled") return ApplyAgain(chaos);
  const std::string name = lab::UplinkInterface(uplink.line);
  chaos.Say("drain " + name + (deadline ? " with a deadline" : ""));
  if (chaos.processes().Agent() == nullptr) return;
  std::vector<std::string> arguments = {"drain", name};
  if (deadline) arguments.insert(arguments.end(), {"--deadline", "1s"});
  chaos.processes().Ctl(std::move(arguments));
  chaos.drains()[uplink.line] = deadline;
}

void Undrain(Chaos& chaos) {
  const auto drained =
      std::ranges::find_if(chaos.drains(), [&](const auto& drain) {
        return chaos.spec().Find(drain.first)->state != "draining";
      });
  if (drained == chaos.drains().end()) return Drain(chaos);
  const std::string name = lab::UplinkInterface(drained->first);
  chaos.Say("undrain " + name);
  if (chaos.processes().Agent() == nullptr) return;
  chaos.processes().Ctl({"undrain", name});
  chaos.drains().erase(drained);
}

void Pause(Chaos& chaos) {
  chaos.Say("pause the agent");
  chaos.processes().Pause();
}

}  // namespace

Disturbances OfSpecs() {
  return {{"spec applied", 6, ApplySpec},
          {"spec applied again", 1, ApplyAgain},
          {"specs applied in a row", 2, ApplyMany},
          {"spec file changed", 3, ChangeFile},
          {"bad spec", 1, OfferBadSpec},
          {"spec confirmed", 2, Confirm},
          {"spec cancelled", 2, Cancel},
          {"spec not confirmed", 2, LeaveToRollBack},
          {"rollback", 3, RollBack},
          {"kill during apply", 4, KillDuringApply},
          {"drain", 2, Drain},
          {"undrain", 2, Undrain},
          {"pause", 2, Pause}};
}

}  // namespace uplinkd::chaos
