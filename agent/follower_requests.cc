// What clients ask between passes: a plan, a trace, to clean up, to drain an
// uplink, and what it carries.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/follower.h"
#include "agent/name_files.h"
#include "agent/request_log.h"
#include "agent/tracer.h"
#include "agent/wire.h"

namespace uplinkd {

Result<Report> Follower::PlanFor(const std::optional<Spec>& spec) {
  if (!spec && ledger_.current() == nullptr) {
    return Fail(ErrorCode::kNotFound, ledger_.why_none());
  }
  if (Result<void> opened = OpenHost(); !opened) {
    return tl::unexpected(opened.error());
  }
  PassOptions options;
  options.dry_run = true;
  options.loads = loads_.loads();
  options.rankings = latencies_.rankings();
  options.sweep = true;
  options.more_tables = old_tables_;
  options.draining = drains_.Words();
  options.health = Verdicts();
  if (ledger_.current() != nullptr) {
    for (const auto& [table, name] : TableNames(ledger_.current()->spec)) {
      options.more_tables.insert(table);
    }
  }
  Report report =
      ReconcileOnce(spec ? ledger_.Prepare(*spec) : ledger_.current()->spec,
                    options, host_->kernel(), options_.clocks.monotonic);
  if (report.error) return tl::unexpected(*report.error);
  return report;
}

Result<v1::TraceResponse> Follower::Trace(const Flow& flow) {
  if (Result<void> opened = OpenHost(); !opened) {
    return tl::unexpected(opened.error());
  }
  const StoredSpec* current = ledger_.current();
  return AnswerTrace(flow, current == nullptr ? nullptr : &current->spec,
                     *host_);
}

Result<Report> Follower::CleanUp(bool dry_run) {
  if (!dry_run && ledger_.pending()) {
    return Fail(ErrorCode::kFailedPrecondition,
                "nothing can be cleaned up now: " +
                    WaitingWords(*ledger_.pending(), ledger_.generation(),
                                 options_.clocks.moment()));
  }
  // Else the kernel would be cleaned up, and the next pass would bring all
  // back.
  if (!dry_run) {
    if (Result<void> may = ledger_.MayForget(); !may) {
      return tl::unexpected(may.error());
    }
  }
  if (Result<void> opened = OpenHost(); !opened) {
    return tl::unexpected(opened.error());
  }
  Report report =
      uplinkd::CleanUp(host_->kernel(), dry_run, options_.clocks.monotonic);
  if (report.error) return tl::unexpected(*report.error);
  if (dry_run) return report;
  if (report.result == PassResult::kFailed) {
    const std::string fault = FirstFault(report);
    return Fail(ErrorCode::kUnavailable,
                "something of ours is still in the kernel" +
                    (fault.empty() ? "" : ": " + fault));
  }
  if (Result<void> forgotten = ledger_.Forget(); !forgotten) {
    return tl::unexpected(forgotten.error());
  }
  if (Result<void> removed = RemoveNameFiles(options_.iproute2_dir); !removed) {
    spdlog::warn("{}", removed.error().message);
  }
  refused_spec_.clear();
  bulletin_.PublishSpec(nullptr);
  if (Result<void> forgotten = drains_.Forget(); !forgotten) {
    spdlog::warn("{}", forgotten.error().message);
  }
  cutter_.Forget();
  blocked_.Clear();
  fights_.Forget();
  drift_.clear();
  old_tables_.clear();
  name_warnings_.clear();
  last_report_ = Report{};
  has_report_ = false;
  standing_ = Standing{};
  tally_.Follow({});
  history_.Note({}, options_.clocks.wall());
  accepted_at_.reset();
  link_index_.clear();
  sampler_.Follow(Spec{});
  loads_.Follow(Spec{});
  latencies_.Follow(Spec{});
  monitor_.Watch({});
  Publish();
  return report;
}

Result<Uplink> Follower::FindUplink(const std::string& name) const {
  const StoredSpec* current = ledger_.current();
  if (current == nullptr) {
    return Fail(ErrorCode::kNotFound, ledger_.why_none());
  }
  const std::vector<Uplink>& uplinks = current->spec.uplinks;
  const auto found = std::ranges::find(uplinks, name, &Uplink::name);
  if (found != uplinks.end()) return *found;
  std::string names;
  for (const Uplink& uplink : uplinks) {
    names += (names.empty() ? "" : ", ") + uplink.name;
  }
  return Fail(ErrorCode::kNotFound,
              "the spec has no uplink \"" + name + "\"; it has " + names);
}

Result<std::optional<DrainLedger::WallTime>> Follower::Drain(
    const std::string& uplink,
    std::optional<std::chrono::milliseconds> deadline) {
  const Result<Uplink> found = FindUplink(uplink);
  if (!found) return tl::unexpected(found.error());
  if (found->mode == UplinkMode::kDisabled) {
    return Fail(ErrorCode::kFailedPrecondition,
                uplink +
                    " is disabled by the spec, so there is nothing to "
                    "drain");
  }
  return drains_.Add(uplink, deadline, Now());
}

Result<void> Follower::Undrain(const std::string& uplink) {
  const Result<Uplink> found = FindUplink(uplink);
  if (!found) return tl::unexpected(found.error());
  if (!drains_.Contains(uplink) && found->mode == UplinkMode::kDraining) {
    return Fail(ErrorCode::kFailedPrecondition,
                uplink + " is draining by the spec; change its state there");
  }
  return drains_.Remove(uplink);
}

Result<PauseLedger::WallTime> Follower::Pause(
    std::chrono::milliseconds duration, const std::string& from,
    const std::string& reason) {
  // Else the spec before could not return in time.
  if (ledger_.pending()) {
    return Fail(ErrorCode::kFailedPrecondition,
                "a spec waits to be confirmed: `uplinkctl confirm " +
                    ledger_.pending()->terms.id + "` or `uplinkctl cancel " +
                    ledger_.pending()->terms.id + "` first");
  }
  Result<PauseLedger::WallTime> begun =
      pause_.Begin(duration, from, reason, Now());
  if (begun) TellOfPause(true, from, pause_.Words());
  return begun;
}

Result<bool> Follower::Resume(const std::string& from) {
  if (!pause_.active()) return false;
  if (Result<void> ended = pause_.End(); !ended) {
    return tl::unexpected(ended.error());
  }
  drift_.clear();
  TellOfPause(false, from, "the pause is ended by " + from);
  return true;
}

// A disk that is read-only now makes it no longer. The file is removed again
// and again until it is gone.
void Follower::EndPauseIfOver() {
  if (!pause_.Over(Now())) return;
  const std::string words = pause_.Words();
  if (Result<void> ended = pause_.Expire(); !ended) {
    spdlog::warn("{}", ended.error().message);
  }
  drift_.clear();
  TellOfPause(false, kAgent, "the pause is over (" + words + ")");
}

void Follower::TellOfPause(bool begun, const std::string& from,
                           const std::string& words) {
  LogPause(begun, from, words, ledger_.generation());
  Tell({"pause", begun ? "begun" : "ended", words});
}

Result<ConnectionCensus> Follower::CountConnections(const std::string& uplink) {
  Mark filter{0, 0};  // all
  if (!uplink.empty() || ledger_.current() == nullptr) {
    const Result<Uplink> found = FindUplink(uplink);
    if (!found) return tl::unexpected(found.error());
    filter = MarkOf(ledger_.current()->spec, found->id);
  }
  if (Result<void> opened = OpenHost(); !opened) {
    return tl::unexpected(opened.error());
  }
  ConnectionCensus census(ledger_.current()->spec, uplink);
  const Result<void> listed = host_->ListConnections(
      filter, [&](const Connection& connection) { census.Add(connection); });
  if (!listed) return tl::unexpected(listed.error());
  return census;
}

}  // namespace uplinkd
