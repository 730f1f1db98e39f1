#include "agent/request_log.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/fmt/fmt.h>

#include "agent/logging.h"
#include "agent/pass_log.h"
#include "agent/wire.h"

namespace uplinkd {
namespace {

constexpr auto kInfo = spdlog::level::info;
constexpr auto kWarn = spdlog::level::warn;

// The line of a request that came to nothing.
void LogFault(LogFields fields, const char* result, const std::string& why,
              const std::string& message) {
  fields.emplace_back("result", result);
  fields.emplace_back("error", why);
  Log(kWarn, message, fields);
}

}  // namespace

void LogRestored(const StoredSpec& stored) {
  Log(kInfo,
      fmt::format("following the stored spec \"{}\", generation {}",
                  stored.spec.name, stored.generation),
      {{"event", "spec"},
       {"spec", stored.spec.name},
       {"revision", stored.spec.revision},
       {"generation", stored.generation},
       {"result", "restored"}});
}

void LogOffer(const Offer& offer,
              const Result<SpecLedger::Accepted>& accepted) {
  const Spec& spec = offer.spec;
  const std::string& from = offer.from;
  LogFields fields = {{"event", "spec"},
                      {"from", from},
                      {"spec", spec.name},
                      {"revision", spec.revision}};
  if (offer.back_to) fields.emplace_back("back_to", *offer.back_to);
  if (!accepted) {
    const std::string& why = accepted.error().message;
    LogFault(fields, "refused", why,
             fmt::format("refused the spec \"{}\" (from {}): {}", spec.name,
                         from, why));
    return;
  }
  fields.emplace_back("generation", accepted->generation);
  fields.emplace_back("result", accepted->unchanged ? "unchanged" : "accepted");
  if (accepted->unchanged) {
    Log(spdlog::level::debug,
        fmt::format("the spec \"{}\" is generation {} already (from {})",
                    spec.name, accepted->generation, from),
        fields);
    return;
  }
  const std::string revision =
      spec.revision.empty() ? "" : ", revision " + spec.revision;
  const std::string back =
      offer.back_to
          ? fmt::format(", back to that of generation {}", *offer.back_to)
          : "";
  Log(kInfo,
      fmt::format("accepted the spec \"{}\" as generation {}{}{} (from {})",
                  spec.name, accepted->generation, revision, back, from),
      fields);
}

void LogRefusal(const std::string& from, const std::string& why) {
  LogFault({{"event", "spec"}, {"from", from}}, "refused", why,
           fmt::format("refused a spec (from {}): {}", from, why));
}

void LogDrain(const std::string& from, std::uint64_t generation,
              const std::string& uplink,
              const Result<std::optional<DrainLedger::WallTime>>& drain) {
  LogFields fields = {{"event", "drain"},
                      {"from", from},
                      {"generation", generation},
                      {"uplink", uplink}};
  if (!drain) {
    const std::string& why = drain.error().message;
    LogFault(fields, "refused", why,
             fmt::format("did not drain uplink {} (from {}): {}", uplink, from,
                         why));
    return;
  }
  std::string deadline;
  if (*drain) {
    deadline = google::protobuf::util::TimeUtil::ToString(ToProto(**drain));
  }
  fields.emplace_back("deadline", deadline);
  fields.emplace_back("result", "done");
  Log(kInfo,
      fmt::format("drains uplink {}{} (from {})", uplink,
                  deadline.empty() ? "" : " until " + deadline, from),
      fields);
}

void LogUndrain(const std::string& from, std::uint64_t generation,
                const std::string& uplink, const Result<void>& undrained) {
  LogFields fields = {{"event", "undrain"},
                      {"from", from},
                      {"generation", generation},
                      {"uplink", uplink}};
  if (!undrained) {
    const std::string& why = undrained.error().message;
    LogFault(fields, "refused", why,
             fmt::format("did not undrain uplink {} (from {}): {}", uplink,
                         from, why));
    return;
  }
  fields.emplace_back("result", "done");
  Log(kInfo, fmt::format("drains uplink {} no longer (from {})", uplink, from),
      fields);
}

void LogCleanUp(const std::string& from, std::uint64_t generation,
                const Result<Report>& report) {
  LogFields fields = {
      {"event", "cleanup"}, {"from", from}, {"generation", generation}};
  if (!report) {
    const std::string& why = report.error().message;
    LogFault(fields, "failed", why,
             fmt::format("cannot clean up (from {}): {}", from, why));
    return;
  }
  const std::string plan = SummaryOf(DeedsOf(*report));
  fields.emplace_back("plan", plan);
  fields.emplace_back("result", "done");
  Log(kInfo,
      fmt::format("cleaned up{}; the spec is forgotten (from {})",
                  plan.empty() ? "" : ": " + plan, from),
      fields);
}

void LogPause(bool begun, const std::string& from, const std::string& words,
              std::uint64_t generation) {
  Log(kInfo, words,
      {{"event", "pause"},
       {"from", from},
       {"generation", generation},
       {"result", begun ? "begun" : "ended"}});
}

void LogWaiting(const std::string& from, std::uint64_t generation,
                const std::string& id, const std::string& words) {
  Log(kInfo, words + " (from " + from + ")",
      {{"event", "confirm"},
       {"from", from},
       {"generation", generation},
       {"id", id},
       {"result", "pending"}});
}

void LogAnswer(const std::string& from, std::uint64_t generation,
               const std::string& id, const std::string& verb,
               const Result<void>& answered) {
  LogFields fields = {
      {"event", verb}, {"from", from}, {"generation", generation}, {"id", id}};
  if (!answered) {
    const std::string& why = answered.error().message;
    LogFault(
        fields, "refused", why,
        fmt::format("did not {} \"{}\" (from {}): {}", verb, id, from, why));
    return;
  }
  fields.emplace_back("result", "done");
  Log(kInfo,
      fmt::format("{} of generation {} by \"{}\" (from {})", verb, generation,
                  id, from),
      fields);
}

void LogRollBack(const std::string& from, std::uint64_t generation,
                 const std::string& why) {
  Log(kWarn,
      fmt::format("{}; the spec before is followed again, as generation {} "
                  "(from {})",
                  why, generation, from),
      {{"event", "rollback"},
       {"from", from},
       {"generation", generation},
       {"result", "done"},
       {"error", why}});
}

}  // namespace uplinkd
