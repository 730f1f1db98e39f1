#include "agent/hooks.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/child_process.h"
#include "agent/logging.h"
#include "reconciler/counted.h"
#include "reconciler/hex.h"

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kPatience{500};

std::map<std::string, const v1::UplinkStatus*> ByName(
    const v1::Status& status) {
  std::map<std::string, const v1::UplinkStatus*> uplinks;
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    uplinks.emplace(uplink.name(), &uplink);
  }
  return uplinks;
}

bool IsUp(const v1::UplinkStatus& uplink) {
  return uplink.phase() == "Ready" || uplink.phase() == "Draining";
}

HookEvent UpOrDown(const v1::UplinkStatus& uplink) {
  if (IsUp(uplink)) {
    return {HookEvent::Kind::kUp, uplink, uplink.name() + " came up"};
  }
  return {HookEvent::Kind::kDown, uplink,
          uplink.name() + " went down: " + uplink.reason()};
}

std::optional<HookEvent> EventOf(const v1::UplinkStatus* before,
                                 const v1::UplinkStatus& after) {
  if (before == nullptr || IsUp(*before) != IsUp(after)) {
    return UpOrDown(after);
  }
  const bool moved = before->address() != after.address() ||
                     before->gateway() != after.gateway();
  const bool moved6 = before->address6() != after.address6() ||
                      before->gateway6() != after.gateway6() ||
                      before->prefix6() != after.prefix6();
  if ((!moved && !moved6) || !IsUp(after)) return std::nullopt;
  const std::string& address = moved ? after.address() : after.address6();
  const std::string& gateway = moved ? after.gateway() : after.gateway6();
  return HookEvent{HookEvent::Kind::kAddress, after,
                   after.name() + " has the address " + address +
                       (gateway.empty() ? "" : " behind " + gateway)};
}

bool IsHookName(const std::string& name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

// Nobody but root and us could have made or changed it.
bool IsOurs(const struct stat& file) {
  return (file.st_uid == 0 || file.st_uid == geteuid()) &&
         (file.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// In a directory of ours; a link is as good as what it leads to.
bool IsSafeProgram(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) &&
         IsOurs(file) && access(path.c_str(), X_OK) == 0;
}

std::string EndWords(const ProgramRun& run) {
  switch (run.end) {
    case ProgramRun::End::kExited:
      return "ended with status " + std::to_string(run.status);
    case ProgramRun::End::kSignalled:
      return "was ended by signal " + std::to_string(run.status);
    case ProgramRun::End::kDeadline: return "was killed at its deadline";
    case ProgramRun::End::kGivenUp: return "was killed since the agent stops";
  }
  return "";
}

}  // namespace

std::string_view HookEventName(HookEvent::Kind kind) {
  switch (kind) {
    case HookEvent::Kind::kUp: return "up";
    case HookEvent::Kind::kDown: return "down";
    case HookEvent::Kind::kAddress: return "address";
    case HookEvent::Kind::kDrift: return "drift";
  }
  return "";
}

std::vector<HookEvent> HookEventsBetween(const v1::Status& before,
                                         const v1::Status& after) {
  std::vector<HookEvent> events;
  const auto old = ByName(before);
  const auto now = ByName(after);
  for (const v1::UplinkStatus& uplink : before.uplinks()) {
    if (now.contains(uplink.name()) || !IsUp(uplink)) continue;
    events.push_back({HookEvent::Kind::kDown, uplink,
                      uplink.name() + " went down: it left the spec"});
  }
  for (const v1::UplinkStatus& uplink : after.uplinks()) {
    const auto known = old.find(uplink.name());
    if (auto event =
            EventOf(known == old.end() ? nullptr : known->second, uplink)) {
      events.push_back(*std::move(event));
    }
  }
  if (after.corrections() > before.corrections()) {
    const std::uint64_t count = after.corrections() - before.corrections();
    events.push_back({HookEvent::Kind::kDrift,
                      {},
                      Counted(count, "object") +
                          (count == 1 ? " was" : " were") + " repaired"});
  }
  return events;
}

std::vector<std::string> HookEnvironment(const HookEvent& event,
                                         const v1::Status& status) {
  const v1::UplinkStatus& uplink = event.uplink;
  std::vector<std::string> environment = {
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "UPLINKD_EVENT=" + std::string(HookEventName(event.kind)),
      "UPLINKD_MESSAGE=" + event.message,
      "UPLINKD_ROUTER=" + status.name(),
  };
  if (event.kind == HookEvent::Kind::kDrift) return environment;
  for (const auto& [name, value] :
       {std::pair("UPLINK", uplink.name()),
        std::pair("INTERFACE", uplink.interface()),
        std::pair("ADDRESS", uplink.address()),
        std::pair("GATEWAY", uplink.gateway()),
        std::pair("ADDRESS6", uplink.address6()),
        std::pair("GATEWAY6", uplink.gateway6()),
        std::pair("PREFIX6", uplink.prefix6()),
        std::pair("PHASE", uplink.phase()),
        std::pair("REASON", uplink.reason()),
        std::pair("TABLE", std::to_string(uplink.table())),
        std::pair("MARK",
                  Hex(uplink.mark()) + "/" + Hex(uplink.mark_mask()))}) {
    environment.push_back(std::string("UPLINKD_") + name + "=" + value);
  }
  return environment;
}

Result<std::vector<std::string>> HookPrograms(const std::string& directory) {
  struct stat there {};
  if (stat(directory.c_str(), &there) == 0 && !IsOurs(there)) {
    return Fail(ErrorCode::kPermissionDenied,
                "no program in " + directory +
                    " is run, since others than root and the agent's user may "
                    "write there");
  }
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  std::vector<std::string> programs;
  for (; !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    const std::string path = entries->path().string();
    if (!IsHookName(entries->path().filename().string())) continue;
    if (IsSafeProgram(path)) programs.push_back(path);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return Fail(ErrorCode::kInternal,
                "cannot read " + directory + ": " + error.message(),
                error.value());
  }
  std::ranges::sort(programs);
  return programs;
}

Hooks::Hooks(Options options, Bulletin& bulletin)
    : options_(std::move(options)),
      news_(bulletin.Subscribe()),
      thread_([this] { Watch(); }) {}

Hooks::~Hooks() {
  stopping_ = true;
  if (news_ != nullptr) news_->Cancel();
  thread_.join();
}

void Hooks::Watch() {
  v1::Status before;
  while (!stopping_ && news_ != nullptr && !news_->over()) {
    const std::optional<Bulletin::News> news = news_->Next(kPatience);
    limiter_.Settle();
    // Before its first pass the agent knows of no uplink.
    if (!news || news->event == nullptr) continue;
    for (const HookEvent& event : HookEventsBetween(before, *news->status)) {
      RunAll(event, *news->status);
    }
    before = *news->status;
  }
}

void Hooks::RunAll(const HookEvent& event, const v1::Status& status) {
  const Result<std::vector<std::string>> programs =
      HookPrograms(options_.directory);
  if (!programs) {
    if (!limiter_.MaySpeak()) return;
    const std::string& why = programs.error().message;
    Log(spdlog::level::warn, "hooks: " + why,
        {{"event", "hook"}, {"result", "failed"}, {"error", why}});
    return;
  }
  for (const std::string& program : *programs) {
    if (stopping_) return;
    RunOne(program, event, status);
  }
}

void Hooks::RunOne(const std::string& program, const HookEvent& event,
                   const v1::Status& status) {
  const Result<ProgramRun> run =
      RunProgram(program, HookEnvironment(event, status), options_.deadline,
                 [this] { return stopping_.load(); });
  const bool fine =
      run && run->end == ProgramRun::End::kExited && run->status == 0;
  if (!fine && !limiter_.MaySpeak()) return;
  LogFields fields = {{"event", "hook"},
                      {"program", program},
                      {"change", HookEventName(event.kind)},
                      {"uplink", event.uplink.name()},
                      {"result", fine ? "done" : "failed"}};
  if (!run) {
    fields.emplace_back("error", run.error().message);
    Log(spdlog::level::warn, "hook " + run.error().message, fields);
    return;
  }
  const std::string output = run->output.empty() ? "" : ": " + run->output;
  if (!fine) fields.emplace_back("error", EndWords(*run) + output);
  Log(fine ? spdlog::level::debug : spdlog::level::warn,
      fmt::format("hook {} for \"{}\" {}{}", program, event.message,
                  EndWords(*run), output),
      fields);
}

}  // namespace uplinkd
