// Follower: follows the accepted spec, one pass at a time.
//
// Holds everything that passes need and leave behind: the ledger, the host,
// the blocked uplinks, the conditions and counters. It knows what a pass is,
// but not when one is due (see Engine). After each pass it publishes where
// things stand. For one thread, the one that may use the kernel.
#ifndef UPLINKD_AGENT_FOLLOWER_H_
#define UPLINKD_AGENT_FOLLOWER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/blocked_uplinks.h"
#include "agent/bulletin.h"
#include "agent/conditions.h"
#include "agent/connection_census.h"
#include "agent/cutter.h"
#include "agent/drain_ledger.h"
#include "agent/health_monitor.h"
#include "agent/host.h"
#include "agent/latency_watch.h"
#include "agent/load_watch.h"
#include "agent/pass_log.h"
#include "agent/pause_ledger.h"
#include "agent/probe.h"
#include "agent/sampler.h"
#include "agent/save_fault.h"
#include "agent/spec_history.h"
#include "agent/spec_ledger.h"
#include "agent/status.h"
#include "agent/tally.h"
#include "agent/uplink_history.h"
#include "reconciler/fight.h"
#include "reconciler/reconcile.h"
#include "reconciler/schedule.h"

namespace uplinkd {

struct Clocks {
  MonotonicClock monotonic;
  std::function<std::chrono::system_clock::time_point()> wall;
  MonotonicClock processor;  // time that the calling thread has used
  std::function<Moment()> moment;
};
// The clocks of the system.
Clocks SystemClocks();

struct FollowerOptions {
  HostFactory open_host;
  std::string state_dir;
  std::string iproute2_dir;  // "": register no names
  Clocks clocks;
};

class Follower {
 public:
  // How a pass ended, for the schedule; see Schedule::PassEnded().
  struct PassEnd {
    bool failed = false;
    bool again_at_once = false;
  };
  // `bulletin` and `monitor` must outlive the follower.
  Follower(FollowerOptions options, Bulletin& bulletin, HealthMonitor& monitor);

  // ---- specs over time: follower_specs.cc ----

  // Takes up the spec of the last run, or the one before if that waited to be
  // confirmed for too long, or waited and is damaged. Fails if there is one but
  // none can be followed; the conditions tell that.
  Result<void> Restore();

  // What applying the offer would change; changes nothing. Fails as
  // SpecLedger::JudgeGeneration() and PlanFor() do, and as JudgePlan() does if
  // the offer has a plan.
  Result<Report> TryOut(const Offer& offer);
  // Accepts a valid spec; the next pass follows it. Fails as
  // SpecLedger::Accept() does, and as TryOut() does if the offer has a plan.
  Result<SpecLedger::Accepted> Accept(const Offer& offer,
                                      SpecLedger::Durability durability);
  // A newer spec is none, or was refused by Accept(): the conditions say so
  // until one is accepted.
  void NoteRefusedSpec(const std::string& words);
  void NoteRefusedFile(const Error& error);

  // The spec that waits stays, or gets more time; with its new deadline. Both
  // fail as JudgeAnswer() does, and with the words of the file system.
  Result<void> Confirm(const std::string& id, const std::string& from);
  Result<std::chrono::system_clock::time_point> ExtendConfirm(
      const std::string& id, std::chrono::milliseconds within,
      const std::string& from);
  // The spec before the one that waits is accepted; the next pass follows it.
  // Fails as JudgeAnswer() does.
  Result<void> CancelConfirm(const std::string& id, const std::string& from);
  // The same, if the time of the one that waits is over; false if it is not.
  bool RollBackIfOverdue();

  // What is to be asked for the spec that waits to be confirmed by itself.
  struct ChecksDue {
    std::string id;
    std::vector<Probe> checks;
    std::vector<ProbePath> paths;  // of the uplinks that are ready
    std::string fault;             // "", or why not even to ask
  };
  std::optional<ChecksDue> checks_due() const;
  // How they went: "" if all is well, and then the spec is confirmed.
  void NoteChecks(const std::string& id, const std::string& fault);

  std::optional<v1::ConfirmStatus> confirm_status() const;

  const SpecHistory& specs() const { return specs_; }

  // What the kernel would have to change from the spec of `generation` to
  // `spec`, or to the accepted one. kNotFound: one of them is not there.
  Result<Report> PlanSince(std::uint64_t generation,
                           const std::optional<Spec>& spec);

  // ---- passes ----

  // Opens the host if it is not open.
  Result<void> OpenHost();

  // One pass of the line. Only if there is a spec. A poll that finds the chains
  // as they were ends there: everything else tells of its changes itself.
  PassEnd Pass(Trigger trigger, bool full);
  const Report& last_report() const { return last_report_; }

  // What a pass would do for `spec`, or for the accepted one. kNotFound: there
  // is neither. Changes nothing.
  Result<Report> PlanFor(const std::optional<Spec>& spec);

  // See AnswerTrace().
  Result<v1::TraceResponse> Trace(const Flow& flow);

  // Removes everything of ours from the kernel, then forgets the spec. On
  // failure the spec is still followed.
  Result<Report> CleanUp(bool dry_run);

  // Drains an uplink, or no longer; the next pass follows. Drain() returns its
  // deadline, if there is one. Both fail with kNotFound for an uplink that the
  // spec does not have, with kFailedPrecondition where the spec says otherwise,
  // and with the words of the file system.
  Result<std::optional<DrainLedger::WallTime>> Drain(
      const std::string& uplink,
      std::optional<std::chrono::milliseconds> deadline);
  Result<void> Undrain(const std::string& uplink);

  // The kernel is only looked at until Resume(), or until `duration` has
  // passed: no repairs, no cuts. It begins at once. Resume() tells whether
  // there was a pause; a pass is due then. Both fail with the words of the file
  // system.
  Result<PauseLedger::WallTime> Pause(std::chrono::milliseconds duration,
                                      const std::string& from,
                                      const std::string& reason);
  Result<bool> Resume(const std::string& from);
  // "" or until when it is paused, and at whose word.
  std::string paused() const { return pause_.Words(); }

  // The live connections of one uplink, or of all if it is "". kNotFound: there
  // is no such uplink, or no spec.
  Result<ConnectionCensus> CountConnections(const std::string& uplink);

  // Looks at the counters, cuts the connections that are due to be cut, saves
  // what could not be saved, and publishes.
  void Sample();
  // The events are not on disk, or are again; the conditions say so.
  void NoteEvents(SaveFault unsaved) { events_unsaved_ = std::move(unsaved); }

  // Whether LookAtLoads() and LookAtLatencies() are to be called every
  // LoadWatch::kEvery.
  bool watches_choices() const {
    return loads_.watching() || latencies_.watching();
  }
  // True: a pass is due, since other shares are.
  bool LookAtLoads();
  // True: a pass is due, since another uplink answers sooner.
  bool LookAtLatencies();

  // What happened, as in v1::Event.
  struct Incident {
    const char* trigger;
    const char* result;
    std::string message;
    std::string uplink = {};
  };
  // Publishes where things stand, with that.
  void Tell(const Incident& incident);
  // Publishes where things stand.
  void Publish(const EventPointer& event = nullptr);

  const SpecLedger& ledger() const { return ledger_; }
  bool in_sync() const { return standing_.in_sync; }
  Host* host() { return host_.get(); }  // null if it could not be opened

 private:
  void SpecChanged(const std::optional<Spec>& before);
  void RollBack(RollbackReason reason, const std::string& why,
                const std::string& from);
  void NoteSpec();
  void ReturnFromDamaged(const Error& error);
  std::set<std::string> ReadyUplinks() const;
  std::string LostUplink(const PendingConfirm& pending) const;
  Result<Desired> CompileHere(const Spec& spec);
  void DescribeSpecs(Situation& situation) const;
  std::map<std::string, HealthVerdict> Verdicts() const;
  bool NothingStirred();
  PassEnd Digest(Trigger trigger, const PassOptions& options);
  PassEnd DigestOfPaused(const PassOptions& options);
  void EndPauseIfOver();
  std::optional<Error> Unsaved() const;
  void SaveAgain();
  void TellOfPause(bool begun, const std::string& from,
                   const std::string& words);
  bool FactsChanged() const;
  bool FactsMovedMeanwhile();
  Report RepairsOfPass();
  std::set<std::string> ChoicesMoved() const;
  bool OnlySharesMoved() const;
  void NoteShares(Trigger trigger);
  void TakeOver();
  void JudgeSync(const PassOptions& options);
  Instant Now() const;
  Result<Uplink> FindUplink(const std::string& name) const;
  void CutWhatLeaves(const std::vector<Mark>& marks);
  void CutConnections();
  void TellOfDrains();
  void UpdateConditions();
  void ForgetOtherUplinks();
  void RegisterNames();
  void WatchTables();

  FollowerOptions options_;
  Bulletin& bulletin_;
  HealthMonitor& monitor_;
  SpecLedger ledger_;
  SpecHistory specs_;
  std::unique_ptr<Host> host_;
  std::optional<Error> host_error_;
  std::string refused_spec_;
  std::string refused_reason_;
  std::string checks_fault_;  // of the spec that waits
  std::string drift_;
  std::vector<std::string> name_warnings_;
  std::set<std::uint32_t> old_tables_;  // of earlier specs
  bool routes_tell_ = false;            // of their changes, by events
  std::optional<PassMemory> memory_;
  Facts facts_before_;  // of the pass before
  Report last_report_;
  bool has_report_ = false;
  std::map<std::string, HealthVerdict> verdicts_;  // that it was made under
  BlockedUplinks blocked_;
  FightDetector fights_;
  Conditions conditions_;
  Tally tally_;
  PassLog log_;
  Sampler sampler_;
  LoadWatch loads_;
  bool loads_moved_ = false;  // since the last pass
  LatencyWatch latencies_;
  bool rankings_moved_ = false;  // since the last pass
  DrainLedger drains_;
  PauseLedger pause_;
  SaveFault events_unsaved_;
  std::chrono::nanoseconds save_due_{};
  Cutter cutter_;
  Standing standing_;
  std::map<std::string, int> link_index_;
  UplinkHistory history_;
  std::chrono::system_clock::time_point started_;
  // When the spec was accepted that the kernel was not seen to hold yet.
  std::optional<std::chrono::nanoseconds> accepted_at_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_FOLLOWER_H_
