// Conditions: what an operator should know, in Kubernetes' manner.
//
// Eight of them: Accepted, Programmed, Ready, DriftDetected, Degraded, Paused,
// ConfirmPending, Saved. Each has a status, a reason in CamelCase for machines,
// a sentence for people, and the time when its status last changed. Pure; time
// comes in as an argument.
#ifndef UPLINKD_AGENT_CONDITIONS_H_
#define UPLINKD_AGENT_CONDITIONS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/blocked_uplinks.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

enum class Truth { kTrue, kFalse, kUnknown };
std::string_view TruthName(Truth truth);  // "True"

// What a condition says.
struct Verdict {
  Truth status = Truth::kUnknown;
  std::string reason;   // "LockTimeout"
  std::string message;  // "wan2: ..."

  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct Condition {
  Verdict verdict;
  std::chrono::system_clock::time_point last_transition;
  std::uint64_t observed_generation = 0;
};

// All that the conditions follow from.
struct Situation {
  std::uint64_t generation = 0;  // 0: there is no spec
  std::uint64_t observed_generation = 0;
  std::string no_spec;       // why there is no spec
  std::string refused_spec;  // "" or why a newer spec was refused
  std::string refused_reason = "InvalidSpec";  // in one word, if it was
  std::string confirm;                         // "" or what the spec waits for
  std::string rolled_back;          // "" or which one was not confirmed
  std::optional<Error> host_error;  // the kernel cannot be reached at all
  const Report* report = nullptr;   // of the last pass; null: none yet
  Refusals blocked;
  std::vector<std::string> fights;  // objects that somebody keeps undoing
  std::string drift;                // "" or what was found repaired last
  std::string paused;               // "" or until when, and at whose word
  std::optional<Error> unsaved;     // why something is not on disk
};

// The reason that stands for the error of a read: "LockTimeout", ...
std::string_view ReasonOf(const Error& error);
// The same for a step that failed.
std::string_view ReasonOf(const Step& step, const Error& error);

// What is wrong with the last pass, if anything: its reason and words.
std::optional<Verdict> TroubleOf(const Situation& situation);

class Conditions {
 public:
  using Time = std::chrono::system_clock::time_point;

  // Judges all of them. Those whose status stays keep their transition time.
  void Update(const Situation& situation, Time now);

  const std::map<std::string, Condition>& all() const { return all_; }

 private:
  void Set(const std::string& type, Verdict verdict, const Situation& situation,
           Time now);

  std::map<std::string, Condition> all_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CONDITIONS_H_
