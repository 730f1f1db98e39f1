// What a scrape costs with 32 uplinks while the agent works: how long it takes,
// beside a scrape of node_exporter in the same router.
#include <httplib.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

constexpr std::size_t kUplinks = 32;
constexpr int kScrapes = 300;
constexpr int kOurPort = 9871;
constexpr int kNodeExporterPort = 9100;
constexpr double kTarget = 5;  // milliseconds

// Hands over another spec as soon as the kernel holds the last one and the
// agent takes one more from the same caller (agent/gate.h): passes that write.
class Passes {
 public:
  explicit Passes(lab::RouterAgent& agent)
      : agent_(agent), thread_([this] { Run(); }) {}
  Passes(const Passes&) = delete;
  Passes& operator=(const Passes&) = delete;
  ~Passes() {
    stop_ = true;
    thread_.join();
  }

  // Waits until one is asked for; false if none is for a long time.
  bool WaitForOne() const {
    const Nanoseconds deadline = Now() + std::chrono::seconds(5);
    while (!under_way_) {
      if (Now() >= deadline) return Complain("there are no passes");
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return true;
  }

 private:
  void Run() {
    for (int i = 0; !stop_; ++i) {
      const int capacity = i % 2 == 0 ? 40 : 20;
      const std::string spec =
          lab::LabSpec{.uplinks = kUplinks, .capacities = {capacity}}.Text();
      under_way_ = true;
      const bool applied = agent_.Apply(spec).has_value();
      under_way_ = false;
      if (!applied) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  lab::RouterAgent& agent_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> under_way_ = false;
  std::thread thread_;
};

// In milliseconds; nothing if there was no answer.
std::optional<double> Scrape(httplib::Client& client) {
  const Nanoseconds began = Now();
  const httplib::Result answer = client.Get("/metrics");
  if (!answer || answer->status != 200) return std::nullopt;
  return Milliseconds(Now() - began);
}

bool WaitForAnswer(httplib::Client& client) {
  for (int i = 0; i < 100; ++i) {
    if (Scrape(client)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return Complain("no answer to a scrape");
}

struct Times {
  std::vector<double> ours;
  std::vector<double> theirs;
};

// In turns, from within the router, ours while a pass is asked for.
std::optional<Times> ScrapeBoth(const lab::Lab& lab, const Passes& passes) {
  const Inside inside(lab.router());
  httplib::Client ours("127.0.0.1", kOurPort);
  httplib::Client theirs("127.0.0.1", kNodeExporterPort);
  if (!WaitForAnswer(ours) || !WaitForAnswer(theirs)) return std::nullopt;
  Times times;
  for (int i = 0; i < kScrapes; ++i) {
    if (!passes.WaitForOne()) return std::nullopt;
    const std::optional<double> our_time = Scrape(ours);
    const std::optional<double> their_time = Scrape(theirs);
    if (!our_time || !their_time) return std::nullopt;
    times.ours.push_back(*our_time);
    times.theirs.push_back(*their_time);
  }
  return times;
}

// Milliseconds of processor time per scrape of an agent that is else idle.
std::optional<double> CostOfScrape(const lab::Lab& lab, pid_t agent) {
  const Inside inside(lab.router());
  httplib::Client client("127.0.0.1", kOurPort);
  const double before = ProcessorTime(agent);
  for (int i = 0; i < kScrapes; ++i) {
    if (!Scrape(client)) return std::nullopt;
  }
  return (ProcessorTime(agent) - before) / 1e6 / kScrapes;
}

void Print(const Times& times, double cost) {
  const double median = Median(times.ours);
  const double theirs = Median(times.theirs);
  PrintRow({.what = "scrape, 32 uplinks, while passes write, median",
            .ours = Number(median, 2, " ms"),
            .floor = Number(theirs, 2, " ms (node_exporter)"),
            .figure = Number(median, 2, " ms"),
            .target = "under 5 ms",
            .met = median < kTarget});
  const double slow = Percentile(times.ours, 0.99);
  PrintRow({.what = "the same, p99",
            .ours = Number(slow, 2, " ms"),
            .floor = Number(Percentile(times.theirs, 0.99), 2, " ms"),
            .figure = Number(slow / Percentile(times.theirs, 0.99), 2, "x"),
            .target = ""});
  PrintRow({.what = "processor time of a scrape",
            .ours = Number(cost, 2, " ms"),
            .floor = "",
            .figure = Number(cost, 2, " ms"),
            .target = "under 5 ms",
            .met = cost < kTarget});
}

}  // namespace

bool MeasureScrape() {
  const std::unique_ptr<lab::Lab> lab =
      MakeLab({.lines = std::vector<lab::Line>(kUplinks)});
  if (!lab) return false;
  Result<std::unique_ptr<lab::RouterAgent>> agent =
      lab::RouterAgent::Start(*lab, {.log_level = "warn"});
  if (!agent) return Complain(agent.error().message);
  const Result<lab::Process> node_exporter = lab::Process::Start(
      lab->router(), {.arguments = {"prometheus-node-exporter",
                                    "--web.listen-address=127.0.0.1:" +
                                        std::to_string(kNodeExporterPort)},
                      .output_file = lab->directory() / "node_exporter.log"});
  if (!node_exporter) return Complain(node_exporter.error().message);
  const auto applied =
      (*agent)->Apply(lab::LabSpec{.uplinks = kUplinks}.Text());
  if (!applied) return Complain(applied.error().message);
  std::optional<Times> times;
  {
    const Passes passes(**agent);
    times = ScrapeBoth(*lab, passes);
  }
  const auto cost = CostOfScrape(*lab, (*agent)->process().pid());
  if (!times || !cost) return Complain("a scrape had no answer");
  Print(*times, *cost);
  return true;
}

}  // namespace uplinkd::bench
