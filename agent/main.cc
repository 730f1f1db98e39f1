// uplinkd: wires the engine, the service and the exporter, and waits for
// signals.
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <atomic>
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

#include "agent/engine.h"
#include "agent/hooks.h"
#include "agent/live_state.h"
#include "agent/logging.h"
#include "agent/options.h"
#include "agent/server.h"
#include "agent/spec_file.h"
#include "exporters/http.h"
#include "reconciler/linux/instance.h"

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

void ReadSpecAgain(const std::string& path, Engine& engine) {
  if (path.empty()) {
    spdlog::info("SIGHUP: there is no --spec file to read again");
    return;
  }
  auto spec = LoadSpecFile(path);
  if (spec) {
    engine.ApplyFromFile(std::move(*spec), path);
    return;
  }
  for (const std::string& fault : spec.error()) spdlog::error("{}", fault);
  Log(spdlog::level::err,
      fmt::format("{} is refused; the last good spec is kept", path),
      {{"event", "spec"},
       {"from", path},
       {"result", "refused"},
       {"error", spec.error().front()}});
  engine.NoteRefusedSpec(spec.error().front() + "; the last good spec is kept");
}

// Until SIGTERM or SIGINT; the engine's end raises the former.
void WaitForEnd(const sigset_t& signals, const AgentOptions& options,
                Engine& engine) {
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) return;
    ReadSpecAgain(options.spec_file, engine);
  }
}

// Runs the engine in a thread of its own until a signal.
int Serve(const AgentOptions& options, const sigset_t& signals, Engine& engine,
          Server& server) {
  engine.WhenRunning([&server] { server.SetHealthy(true); });
  std::promise<Result<void>> promise;
  std::future<Result<void>> ended = promise.get_future();
  std::thread thread([&] {
    pthread_setname_np(pthread_self(), "engine");  // in top -H and the like
    promise.set_value(engine.Run());
    kill(getpid(), SIGTERM);
  });
  WaitForEnd(signals, options, engine);
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

EngineOptions EngineOptionsOf(const AgentOptions& options) {
  EngineOptions engine;
  engine.follower.open_host = OpenLinuxHost;
  engine.follower.state_dir = options.state_dir;
  engine.follower.iproute2_dir = options.iproute2_dir;
  engine.follower.clocks = SystemClocks();
  engine.ready = [] { sd_notify(0, "READY=1"); };
  return engine;
}

int Run(const AgentOptions& options) {
  SetUpLogging(options.log_level, options.log_json);
  std::optional<Spec> spec;
  if (!options.spec_file.empty()) {
    auto loaded = LoadSpecFile(options.spec_file);
    if (!loaded) {
      for (const std::string& fault : loaded.error()) {
        std::fprintf(stderr, "%s\n", fault.c_str());
      }
      return kExitBadInput;
    }
    spec = std::move(*loaded);
  }
  const sigset_t signals = BlockSignals();
  const Result<Instance> instance = Instance::Take();
  if (!instance) return CannotRun(instance.error().message);

  Engine engine(EngineOptionsOf(options));
  // Before anything is taken up: the address may be in use.
  std::unique_ptr<MetricsServer> metrics;
  if (!options.metrics_listen.empty()) {
    Result<std::unique_ptr<MetricsServer>> started = MetricsServer::Start(
        options.metrics_listen,
        {.metrics = [&engine] { return engine.bulletin().metrics(); },
         .live_state =
             [&engine] {
               return LiveStateJson(engine.bulletin(), engine.events(),
                                    std::chrono::system_clock::now());
             }});
    if (!started) return CannotRun(started.error().message);
    metrics = std::move(*started);
  }
  engine.Restore();
  if (spec) {
    if (Result<void> started = engine.StartWith(*spec, options.spec_file);
        !started) {
      return CannotRun(started.error().message);
    }
  }
  Result<std::unique_ptr<Server>> server =
      Server::Start(options.sockets, engine);
  if (!server) return CannotRun(server.error().message);
  std::unique_ptr<Hooks> hooks;
  if (!options.hooks_dir.empty()) {
    hooks = std::make_unique<Hooks>(Hooks::Options{options.hooks_dir},
                                    engine.bulletin());
  }
  spdlog::info("uplinkd {} serves on {}", UPLINKD_VERSION,
               options.sockets.front());
  return Serve(options, signals, engine, **server);
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
