// uplinkd: wires the engine, the service and the exporter, and waits for
// signals.
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/engine.h"
#include "agent/hooks.h"
#include "agent/listener.h"
#include "agent/live_state.h"
#include "agent/logging.h"
#include "agent/options.h"
#include "agent/privileges.h"
#include "agent/server.h"
#include "agent/spec_file.h"
#include "agent/spec_source.h"
#include "agent/tls.h"
#include "exporters/http.h"
#include "reconciler/linux/instance.h"
#include "reconciler/linux/xt_modules.h"

namespace uplinkd {
namespace {

// How long a pass that is under way may take to end after SIGTERM.
constexpr std::chrono::milliseconds kPatience{1500};

int CannotRun(const std::string& why) {
  spdlog::critical("{}", why);
  return kExitCannotRun;
}

// Blocked in every thread, so that only WaitForEnd() takes them.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Writes to a client that is gone, or to a full quota, fail with an errno.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return signals;
}

// Until SIGTERM or SIGINT; the engine's end raises the former.
void WaitForEnd(const sigset_t& signals, SpecSource* source, Server& server) {
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return;
    server.ReloadRoles();
    if (source == nullptr) {
      spdlog::info("SIGHUP: there is no --spec file to read again");
    } else {
      source->Reread();
    }
  }
}

// Runs the engine in a thread of its own until a signal. `taken_up`: see
// SpecSource.
int Serve(const AgentOptions& options, const sigset_t& signals, Engine& engine,
          Server& server, const std::optional<FileSignature>& taken_up) {
  engine.WhenRunning([&server] { server.SetHealthy(true); });
  std::promise<Result<void>> promise;
  std::future<Result<void>> ended = promise.get_future();
  std::thread thread([&] {
    pthread_setname_np(pthread_self(), "engine");  // in top -H and the like
    promise.set_value(engine.Run());
    kill(getpid(), SIGTERM);
  });
  {
    std::unique_ptr<SpecSource> source;
    if (!options.spec_file.empty()) {
      source = std::make_unique<SpecSource>(
          SpecSource::Options{.path = options.spec_file,
                              .allow_empty = options.allow_empty,
                              .taken_up = taken_up},
          engine);
    }
    WaitForEnd(signals, source.get(), server);
  }
  sd_notify(0, "STOPPING=1");
  server.SetHealthy(false);
  engine.Stop();
  if (ended.wait_for(kPatience) != std::future_status::ready) {
    // The kernel's state is whole at every step, so it may stay as it is.
    spdlog::warn("a pass takes too long to end; leaving it");
    _exit(kExitOk);
  }
  thread.join();
  const Result<void> result = ended.get();
  if (!result) return CannotRun(result.error().message);
  spdlog::info("stopped; routes, rules and chains stay as they are");
  return kExitOk;
}

std::vector<std::string> AddressesOf(const AccessOptions& access,
                                     const Server& server) {
  std::vector<std::string> addresses = access.sockets;
  if (server.TcpPorts().empty()) return addresses;  // told once it is served
  for (const TcpAddress& address : access.tcp) {
    addresses.push_back("tcp://" + address.Text());
  }
  return addresses;
}

EngineOptions EngineOptionsOf(const AgentOptions& options) {
  EngineOptions engine;
  engine.follower.open_host = OpenLinuxHost;
  engine.follower.state_dir = options.state_dir;
  engine.follower.iproute2_dir = options.iproute2_dir;
  engine.follower.clocks = SystemClocks();
  sd_notify(0, "STATUS=the kernel does not hold the spec yet");
  engine.ready = [] { sd_notify(0, "READY=1\nSTATUS=serving"); };
  return engine;
}

// Before anything is taken up: the addresses may be in use.
Result<std::unique_ptr<MetricsServer>> StartMetrics(const AgentOptions& options,
                                                    Engine& engine) {
  if (options.metrics_listen.empty()) return nullptr;
  return MetricsServer::Start(
      options.metrics_listen,
      {.metrics = [&engine] { return engine.bulletin().metrics(); },
       .live_state =
           [&engine] {
             return LiveStateJson(engine.bulletin(), engine.events(),
                                  std::chrono::system_clock::now());
           }});
}

// What to follow from the start: the file of --spec, or the spec of the last
// run if there is no file or its content is bad; or nothing, until the file is
// good, if what the last run left is bad as well. `taken_up` becomes the file
// that is followed, if it is.
int TakeUpSpec(const AgentOptions& options, Engine& engine,
               std::optional<FileSignature>& taken_up) {
  const Result<bool> restored = engine.Restore();
  if (options.spec_file.empty()) return kExitOk;
  const FileSignature before = SignatureOf(options.spec_file);
  const auto loaded = LoadSpecFile(options.spec_file, options.allow_empty);
  if (!loaded) {
    // After an earlier run, the file is followed like one that becomes bad
    // later.
    if (!restored || *restored) return kExitOk;
    for (const std::string& fault : loaded.error()) {
      std::fprintf(stderr, "%s\n", fault.c_str());
    }
    return kExitBadInput;
  }
  if (!*loaded) return kExitOk;  // empty: cleaned up when it is read again
  // One that is held, or comes while another one waits to be confirmed, is in
  // the log and in the conditions.
  if (engine.StartWith(**loaded, options.spec_file)) taken_up = before;
  return kExitOk;
}

int Run(const AgentOptions& options) {
  SetUpLogging(options.log_level, options.log_json);
  LoadXtModules();  // this and the next need more than what is kept
  if (const Result<void> joined = JoinSocketGroup(options.access); !joined) {
    return CannotRun(joined.error().message);
  }
  if (const Result<void> kept = KeepNeededPrivileges(); !kept) {
    return CannotRun(kept.error().message);
  }
  AllowOnlyTls13();
  const sigset_t signals = BlockSignals();
  const Result<Instance> instance = Instance::Take();
  if (!instance) return CannotRun(instance.error().message);

  Engine engine(EngineOptionsOf(options));
  const Result<std::unique_ptr<MetricsServer>> metrics =
      StartMetrics(options, engine);
  if (!metrics) return CannotRun(metrics.error().message);
  std::optional<FileSignature> taken_up;
  if (const int status = TakeUpSpec(options, engine, taken_up);
      status != kExitOk) {
    return status;
  }
  Result<std::unique_ptr<Server>> server =
      Server::Start(options.access, engine);
  if (!server) return CannotRun(server.error().message);
  std::unique_ptr<Hooks> hooks;
  if (!options.hooks_dir.empty()) {
    hooks = std::make_unique<Hooks>(Hooks::Options{options.hooks_dir},
                                    engine.bulletin());
  }
  for (const std::string& address : AddressesOf(options.access, **server)) {
    spdlog::info("uplinkd {} serves on {}", UPLINKD_VERSION, address);
  }
  return Serve(options, signals, engine, **server, taken_up);
}

}  // namespace
}  // namespace uplinkd

int main(int argc, char** argv) {
  const auto options = uplinkd::ParseOptions(
      std::span<const char* const>(argv, static_cast<std::size_t>(argc))
          .subspan(1));
  if (!options) {
    std::fputs(options.error().text.c_str(),
               options.error().status == 0 ? stdout : stderr);
    return options.error().status;
  }
  try {
    return uplinkd::Run(*options);
  } catch (const std::exception& error) {
    // Out of memory, or a library's: nothing here throws.
    std::fprintf(stderr, "uplinkd: %s\n", error.what());
    return uplinkd::kExitCannotRun;
  }
}
