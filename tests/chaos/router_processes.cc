#include "tests/chaos/router_processes.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{20};
// Of uplinkctl: accepted, but the kernel could not be brought to it in time, as
// when somebody holds the xtables lock.
constexpr int kNotInTime = 1;

// "VmRSS:     1234 kB" of /proc/PID/status.
std::uint64_t MemoryOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (file >> word) {
    std::uint64_t kibibytes = 0;
    if (word == "VmRSS:" && file >> kibibytes) return kibibytes;
  }
  return 0;
}

std::size_t DescriptorsOf(pid_t pid) {
  std::error_code gone;
  const std::filesystem::directory_iterator entries(
      "/proc/" + std::to_string(pid) + "/fd", gone);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

RouterProcesses::RouterProcesses(World& world, Complain complain)
    : world_(world), complain_(std::move(complain)) {}

std::string RouterProcesses::spec_file() const {
  return (world_.lab().directory() / "chaos.yaml").string();
}

void RouterProcesses::ReplaceFile() {
  const std::string beside = spec_file() + ".new";
  std::ofstream(beside) << file_text_;
  std::filesystem::rename(beside, spec_file());
}

lab::RouterAgent* RouterProcesses::Agent() {
  LetGo();
  if (agent_ != nullptr && !agent_->process().Running()) {
    complain_("the agent ended by itself");
    Gone();
  }
  if (agent_ == nullptr) {
    ReplaceFile();
    Result<std::unique_ptr<lab::RouterAgent>> started = lab::RouterAgent::Start(
        world_.lab(),
        {.arguments = {"--spec", spec_file()}, .log_level = "info"});
    if (!started) {
      complain_("the agent does not start: " + started.error().message);
      return nullptr;
    }
    agent_ = std::move(*started);
    ++totals_.starts;
  }
  if (std::exchange(paused_, false)) Ctl({"resume"});
  return agent_.get();
}

lab::RouterAgent* RouterProcesses::MirrorAgent() {
  if (mirror_agent_ == nullptr) {
    Result<std::unique_ptr<lab::RouterAgent>> started = lab::RouterAgent::Start(
        world_.lab(),
        {.log_level = "info", .name = "mirror", .where = &world_.mirror()});
    if (!started) {
      complain_("no agent in the mirror: " + started.error().message);
      return nullptr;
    }
    mirror_agent_ = std::move(*started);
  }
  return mirror_agent_.get();
}

lab::CommandResult RouterProcesses::Ctl(std::vector<std::string> arguments) {
  if (agent_ == nullptr) return {};
  std::string words;
  for (const std::string& argument : arguments) words += " " + argument;
  lab::CommandResult result = agent_->Ctl(std::move(arguments));
  if (result.exit_code != 0 && result.exit_code != kNotInTime) {
    complain_("uplinkctl" + words + " exits with " +
              std::to_string(result.exit_code) + ": " + result.output);
  }
  return result;
}

void RouterProcesses::Kill() {
  if (agent_ == nullptr) return;
  agent_->process().Signal(SIGKILL);
  agent_->process().Wait(kPatience);
  Gone();
}

void RouterProcesses::Terminate() {
  if (agent_ == nullptr) return;
  LetGo();
  agent_->process().Signal(SIGTERM);
  const int status = agent_->process().Wait(kPatience);
  if (status != 0) {
    complain_("after SIGTERM the agent ends with " + std::to_string(status));
  }
  Gone();
}

void RouterProcesses::Gone() {
  agent_.reset();
  stopped_ = false;
  corrections_ = overruns_ = 0;
  if (slow_disk_) slow_disk_->Wait(kPatience);
  slow_disk_.reset();
}

void RouterProcesses::Stop() {
  if (agent_ == nullptr || slow_disk_) return;
  agent_->process().Signal(SIGSTOP);
  stopped_ = true;
}

void RouterProcesses::SlowDisk(milliseconds delay) {
  lab::RouterAgent* const agent = Agent();
  if (agent == nullptr || slow_disk_) return;
  const std::string calls = "fsync,fdatasync,rename,renameat,renameat2";
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
  Result<lab::Process> strace = lab::Process::Start(
      world_.router(),
      {.arguments = {"strace", "-qq", "-f", "-o", "/dev/null", "-e",
                     "trace=" + calls, "-e",
                     "inject=" + calls +
                         ":delay_enter=" + std::to_string(microseconds),
                     "-p", std::to_string(agent->process().pid())},
       // It may complain of threads that ended meanwhile.
       .output_file = (world_.lab().directory() / "strace.log").string()});
  if (!strace) {
    complain_("strace: " + strace.error().message);
    return;
  }
  slow_disk_.emplace(std::move(*strace));
  // Until it has attached to each thread.
  std::this_thread::sleep_for(milliseconds(150));
}

void RouterProcesses::Pause() {
  if (Agent() == nullptr) return;
  paused_ = Ctl({"pause", "--for", "2m", "--reason", "chaos"}).Ok();
}

void RouterProcesses::HoldLock(milliseconds duration) {
  std::ostringstream time;
  time << std::chrono::duration<double>(duration).count();
  Result<lab::Process> holder = lab::Process::Start(
      world_.router(),
      {.arguments = {"flock",
                     (world_.lab().directory() / "xtables.lock").string(),
                     "sleep", time.str()}});
  if (!holder) return complain_("flock: " + holder.error().message);
  lock_holders_.push_back(std::move(*holder));
}

void RouterProcesses::LetGo() {
  if (std::exchange(stopped_, false)) agent_->process().Signal(SIGCONT);
  if (!slow_disk_) return;
  slow_disk_->Signal(SIGINT);  // it detaches first
  if (slow_disk_->Wait(kPatience) < 0) complain_("strace does not end");
  slow_disk_.reset();
}

void RouterProcesses::Release() {
  for (lab::Process& holder : lock_holders_) holder.Wait(kPatience);
  lock_holders_.clear();
  Agent();
}

std::string RouterProcesses::NewLog() {
  if (agent_ == nullptr) return "";
  const std::string log = agent_->Log();
  const std::string rest = log.substr(std::min(log_read_, log.size()));
  log_read_ = log.size();
  return rest;
}

std::string RouterProcesses::LastLog(std::size_t bytes) const {
  if (agent_ == nullptr) return "";
  const std::string log = agent_->Log();
  return log.substr(log.size() - std::min(bytes, log.size()));
}

double RouterProcesses::Sum(const std::string& metrics,
                            const std::string& name) {
  std::istringstream lines(metrics);
  std::string line;
  double sum = 0;
  while (std::getline(lines, line)) {
    if (!line.starts_with(name)) continue;
    const char after = line.size() > name.size() ? line[name.size()] : '\0';
    if (after != '{' && after != ' ') continue;
    sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return sum;
}

void RouterProcesses::NoteTotals(const std::string& metrics) {
  if (agent_ == nullptr) return;
  const double corrections = Sum(metrics, "uplinkd_drift_corrections_total");
  const double overruns = Sum(metrics, "uplinkd_netlink_overruns_total");
  totals_.corrections += corrections - std::exchange(corrections_, corrections);
  totals_.overruns += overruns - std::exchange(overruns_, overruns);
  const pid_t pid = agent_->process().pid();
  totals_.most_memory = std::max(totals_.most_memory, MemoryOf(pid));
  totals_.most_descriptors =
      std::max(totals_.most_descriptors, DescriptorsOf(pid));
}

}  // namespace uplinkd::chaos
