#include "agent/follower.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "agent/event_log.h"
#include "agent/moment.h"
#include "agent/name_files.h"
#include "agent/removal_notice.h"
#include "agent/request_log.h"
#include "agent/wire.h"
#include "proto/convert.h"
#include "proto/spec_writer.h"
#include "proto/text_check.h"

namespace uplinkd {
namespace {

std::chrono::nanoseconds ProcessorTime() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) +
         std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

Clocks SystemClocks() {
  return {[] {
            return std::chrono::nanoseconds(
                std::chrono::steady_clock::now().time_since_epoch());
          },
          [] { return std::chrono::system_clock::now(); }, ProcessorTime,
          PresentMoment};
}

Follower::Follower(FollowerOptions options, Bulletin& bulletin,
                   HealthMonitor& monitor)
    : options_(std::move(options)),
      bulletin_(bulletin),
      monitor_(monitor),
      ledger_(SpecStore(options_.state_dir)),
      specs_(options_.state_dir),
      sampler_(options_.clocks.monotonic),
      loads_(options_.clocks.monotonic, options_.clocks.processor),
      drains_(options_.state_dir),
      pause_(options_.state_dir),
      started_(options_.clocks.wall()) {}

Instant Follower::Now() const {
  return {options_.clocks.monotonic(), options_.clocks.moment()};
}

void Follower::SpecChanged(const std::optional<Spec>& before) {
  if (before) {
    for (const auto& [table, name] : TableNames(*before)) {
      old_tables_.insert(table);
    }
  }
  blocked_.Clear();
  fights_.Forget();
  drift_.clear();
  standing_.in_sync = false;
  sampler_.Follow(ledger_.current()->spec);
  loads_.Follow(ledger_.current()->spec);
  latencies_.Follow(ledger_.current()->spec);
  ForgetOtherUplinks();
  RegisterNames();
  WatchTables();
  bulletin_.PublishSpec(std::make_shared<const std::string>(
      WriteSpecYaml(SpecToProto(ledger_.current()->spec))));
}

// What is told and counted is about uplinks of the spec.
void Follower::ForgetOtherUplinks() {
  std::set<std::string> uplinks;
  for (const Uplink& uplink : ledger_.current()->spec.uplinks) {
    uplinks.insert(uplink.name);
  }
  std::set<std::string> drains = uplinks;
  if (ledger_.pending()) {
    for (const Uplink& uplink : ledger_.pending()->return_spec.uplinks) {
      drains.insert(uplink.name);
    }
  }
  tally_.Follow(uplinks);
  std::erase_if(standing_.uplinks, [&](const UplinkState& uplink) {
    return !uplinks.contains(uplink.name);
  });
  history_.Note(standing_.uplinks, options_.clocks.wall());
  if (const Result<void> kept = drains_.KeepOnly(drains); !kept) {
    spdlog::warn("{}", kept.error().message);
  }
}

void Follower::RegisterNames() {
  const Result<std::vector<std::string>> left_out = WriteNameFiles(
      options_.iproute2_dir, TableNames(ledger_.current()->spec));
  name_warnings_ =
      left_out ? *left_out : std::vector<std::string>{left_out.error().message};
}

void Follower::WatchTables() {
  if (host_ == nullptr || ledger_.current() == nullptr) return;
  std::set<std::uint32_t> tables = old_tables_;
  for (const auto& [table, name] : TableNames(ledger_.current()->spec)) {
    tables.insert(table);
  }
  const Result<void> watched =
      host_->WatchTables(tables, HasIpv6(ledger_.current()->spec));
  routes_tell_ = watched.has_value();
  if (!watched) {
    spdlog::warn("changes of routes are found by polling only: {}",
                 watched.error().message);
  }
}

Result<void> Follower::OpenHost() {
  if (host_ != nullptr) return {};
  Result<std::unique_ptr<Host>> host = options_.open_host();
  if (!host) {
    host_error_ = host.error();
    return tl::unexpected(host.error());
  }
  host_error_.reset();
  host_ = std::move(*host);
  WatchTables();
  return {};
}

Follower::PassEnd Follower::Pass(Trigger trigger, bool full) {
  EndPauseIfOver();
  if (trigger == Trigger::kPoll && !full && NothingStirred()) {
    return {fights_.SlowDown(options_.clocks.monotonic()), false};
  }
  PassOptions options;
  options.dry_run = pause_.active();
  if (Result<void> opened = OpenHost(); !opened) {
    last_report_ = Report{};
    last_report_.result = PassResult::kFailed;
    last_report_.failed_phase = PassPhase::kFacts;
    last_report_.error = opened.error();
    return Digest(trigger, options);
  }
  options.sweep = full || standing_.observed_generation != ledger_.generation();
  options.more_tables = old_tables_;
  options.blocked = blocked_.LeftOut();
  options.draining = drains_.Words();
  options.loads = loads_.loads();
  options.rankings = latencies_.rankings();
  options.health = verdicts_ = Verdicts();
  RemovalNotice kernel(host_->kernel(), [this](const std::vector<Mark>& marks) {
    CutWhatLeaves(marks);
  });
  if (memory_) facts_before_ = memory_->facts;
  const auto reconcile = [&] {
    last_report_ = ReconcileOnce(ledger_.current()->spec, options, memory_,
                                 kernel, options_.clocks.monotonic);
  };
  reconcile();
  if (options.dry_run) return DigestOfPaused(options);
  if (OnlySharesMoved()) {
    // Nothing is told before it was seen that they hold.
    NoteShares(trigger);
    reconcile();
  }
  return Digest(trigger, options);
}

std::map<std::string, HealthVerdict> Follower::Verdicts() const {
  std::map<std::string, HealthVerdict> verdicts;
  for (auto& [uplink, report] : monitor_.Reports()) {
    verdicts[uplink] = report.verdict;
  }
  return verdicts;
}

// After a pass that found everything in sync: whether the chains are still
// those that it saw. If so, that pass holds for this moment as well, and the
// next sample publishes it.
bool Follower::NothingStirred() {
  if (!standing_.in_sync || !routes_tell_ || host_ == nullptr) return false;
  if (Verdicts() != verdicts_) return false;
  const std::chrono::nanoseconds began = options_.clocks.monotonic();
  const Result<ChainLook> look = host_->kernel().LookAtChains();
  if (!look || look->version != last_report_.chains_version) return false;
  last_report_.fates_given = look->fates_given;
  last_report_.durations = {
      {PassPhase::kObserve, options_.clocks.monotonic() - began}};
  tally_.Count(last_report_, {}, {}, Trigger::kPoll);
  TakeOver();
  JudgeSync({});
  return true;
}

void Follower::UpdateConditions() {
  Situation situation;
  situation.generation = ledger_.generation();
  situation.observed_generation = standing_.observed_generation;
  situation.no_spec = ledger_.why_none();
  DescribeSpecs(situation);
  situation.host_error = host_error_;
  situation.report = has_report_ ? &last_report_ : nullptr;
  situation.blocked = blocked_.all();
  situation.fights = fights_.Contested(options_.clocks.monotonic());
  situation.drift = drift_;
  situation.paused = pause_.Words();
  situation.unsaved = Unsaved();
  conditions_.Update(situation, options_.clocks.wall());
}

void Follower::Sample() {
  EndPauseIfOver();
  SaveAgain();
  if (host_ != nullptr) {
    sampler_.Look(*host_, link_index_);
    for (const std::string& uplink : sampler_.suspects()) {
      monitor_.Suspect(uplink);
    }
  }
  CutConnections();
  log_.Settle(options_.clocks.monotonic());
  Publish();
}

// The first of them stands for all: a disk has one trouble at a time.
std::optional<Error> Follower::Unsaved() const {
  for (const auto& [fault, what] :
       {std::pair(ledger_.unsaved(), "the spec"),
        std::pair(drains_.unsaved(), "the drains"),
        std::pair(pause_.unsaved(), "the end of the pause"),
        std::pair(specs_.unsaved(), "the history of specs"),
        std::pair(events_unsaved_, "the events")}) {
    if (!fault) continue;
    return Error{fault->code,
                 std::string(what) + " cannot be saved: " + fault->message,
                 fault->system_errno};
  }
  return std::nullopt;
}

// Each was logged when it failed; a disk that has room again needs no more than
// this. The events are saved by their own thread.
void Follower::SaveAgain() {
  const bool any = ledger_.unsaved() || drains_.unsaved() || pause_.unsaved() ||
                   specs_.unsaved();
  const std::chrono::nanoseconds now = options_.clocks.monotonic();
  if (!any || now < save_due_) return;
  save_due_ = now + EventLog::kPace;
  bool saved = true;
  for (const Result<void>& one : {ledger_.SaveAgain(), drains_.SaveAgain(),
                                  pause_.SaveAgain(), specs_.SaveAgain()}) {
    saved = saved && one.has_value();
  }
  if (saved) spdlog::info("what could not be saved is on disk now");
}

bool Follower::LookAtLoads() {
  if (host_ == nullptr || !loads_.Look(*host_)) return false;
  loads_moved_ = true;
  return true;
}

bool Follower::LookAtLatencies() {
  if (!latencies_.watching()) return false;
  if (!latencies_.Look(monitor_.Reports())) return false;
  rankings_moved_ = true;
  return true;
}

// The rules of these marks are about to go. What the pass sees of the other
// uplinks is not known yet, and what was known before still holds for them.
void Follower::CutWhatLeaves(const std::vector<Mark>& marks) {
  const Spec& spec = ledger_.current()->spec;
  std::set<Mark> leaving(marks.begin(), marks.end());
  Report report;
  report.uplinks = standing_.uplinks;
  for (const Uplink& uplink : spec.uplinks) {
    const Mark mark = MarkOf(spec, uplink.id);
    leaving.erase(mark);
    auto known =
        std::ranges::find(report.uplinks, uplink.name, &UplinkState::name);
    if (known == report.uplinks.end()) {
      known = report.uplinks.emplace(known);
      known->name = uplink.name;
    }
    known->mark = mark;
  }
  if (leaving.empty()) return;
  cutter_.PassEnded(spec, report, options_.clocks.monotonic(), tally_);
  CutConnections();
}

void Follower::CutConnections() {
  if (host_ == nullptr || ledger_.current() == nullptr) return;
  if (pause_.active()) return;
  for (const CutOutcome& outcome :
       cutter_.Work(*host_, drains_, Now(), tally_)) {
    sampler_.NoteCut(outcome.cut.mark, outcome.connections.value_or(0));
    if (outcome.cut.reason == CutReason::kDrain) TellOfDrains();
    if (!outcome.Newsworthy()) continue;
    Publish(std::make_shared<const v1::Event>(
        ToEvent(outcome, options_.clocks.wall())));
  }
}

// The words of a drain change when its deadline has passed; the next pass would
// say so too, but later.
void Follower::TellOfDrains() {
  const std::map<std::string, std::string> words = drains_.Words();
  for (UplinkState& uplink : standing_.uplinks) {
    const auto drain = words.find(uplink.name);
    if (uplink.phase == UplinkPhase::kDraining && drain != words.end()) {
      uplink.reason = drain->second;
    }
  }
}

void Follower::Tell(const Incident& incident) {
  v1::Event event;
  *event.mutable_time() = ToProto(options_.clocks.wall());
  event.set_trigger(incident.trigger);
  event.set_result(incident.result);
  event.set_message(VisibleText(incident.message));
  event.set_uplink(incident.uplink);
  Publish(std::make_shared<const v1::Event>(std::move(event)));
}

void Follower::Publish(const EventPointer& event) {
  UpdateConditions();
  standing_.spec = ledger_.current();
  standing_.confirm = confirm_status();
  standing_.traffic = sampler_.meter().traffic();
  standing_.conntrack = sampler_.conntrack();
  standing_.health = monitor_.Reports();
  standing_.past = history_.all();
  standing_.drain_deadlines = drains_.WallDeadlines();
  standing_.published = options_.clocks.wall();
  standing_.started = started_;
  if (host_ != nullptr) {
    standing_.overruns = host_->overruns();
    standing_.kernel_costs = host_->kernel().costs();
  }
  v1::Status status = BuildStatus(standing_, conditions_, tally_);
  for (const std::string& warning : name_warnings_) {
    status.add_warnings(VisibleText(warning));
  }
  for (const std::string& warning : cutter_.Warnings(Now())) {
    status.add_warnings(VisibleText(warning));
  }
  bulletin_.Publish(std::make_shared<const v1::Status>(std::move(status)),
                    std::make_shared<const MetricsSnapshot>(
                        BuildMetrics(standing_, conditions_, tally_)),
                    event);
}

}  // namespace uplinkd
