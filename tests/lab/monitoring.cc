#include "tests/lab/monitoring.h"

#include <httplib.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <regex>
#include <thread>
#include <utility>

namespace uplinkd::lab {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr int kPrometheusPort = 9090;
constexpr int kAlertmanagerPort = 9093;
constexpr int kReceiverPort = 9094;
constexpr std::int64_t kShorter = 30;

Result<void> RunScript(const Namespace& where, const std::string& script) {
  const CommandResult result = Shell(where, script);
  if (result.Ok()) return {};
  return Fail(ErrorCode::kInternal, "monitoring: " + result.output);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

milliseconds DurationOf(std::int64_t count, char unit) {
  switch (unit) {
    case 's': return std::chrono::seconds(count);
    case 'm': return std::chrono::minutes(count);
    default: return std::chrono::hours(count);
  }
}

}  // namespace

std::string ShortenDurations(const std::string& text) {
  static const std::regex duration(R"(\b(\d+)([smh])\b)");
  std::string shorter;
  auto rest = text.begin();
  for (std::sregex_iterator it(text.begin(), text.end(), duration), end;
       it != end; ++it) {
    const std::smatch& match = *it;
    shorter.append(rest, match[0].first);
    const milliseconds whole =
        DurationOf(std::stoll(match[1]), *match[2].first);
    shorter += std::to_string((whole / kShorter).count()) + "ms";
    rest = match[0].second;
  }
  return shorter.append(rest, text.end());
}

// The other end of the webhooks.
class Monitoring::Receivers {
 public:
  explicit Receivers(const Namespace& where) {
    server_.Post(R"(/(\w+))", [this](const httplib::Request& request,
                                     httplib::Response&) {
      const json message = json::parse(request.body, nullptr, false);
      const std::lock_guard lock(mutex_);
      for (const json& alert : message["alerts"]) {
        received_[request.matches[1]].emplace(
            alert.value("status", ""), alert["labels"].value("alertname", ""));
      }
    });
    where.Run([this] { server_.bind_to_port("127.0.0.1", kReceiverPort); });
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  Receivers(const Receivers&) = delete;
  Receivers& operator=(const Receivers&) = delete;
  ~Receivers() {
    server_.stop();
    thread_.join();
  }

  std::set<Notice> Received(const std::string& receiver) const {
    const std::lock_guard lock(mutex_);
    const auto found = received_.find(receiver);
    return found == received_.end() ? std::set<Notice>() : found->second;
  }

 private:
  httplib::Server server_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::map<std::string, std::set<Notice>> received_;  // guarded by mutex_
};

Monitoring::Monitoring(Namespace where) : namespace_(std::move(where)) {}

std::set<Monitoring::Notice> Monitoring::Received(
    const std::string& receiver) const {
  return receivers_->Received(receiver);
}

std::string Monitoring::Address(std::size_t n) {
  return "192.0.2." + std::to_string(10 + n);
}

Result<std::unique_ptr<Monitoring>> Monitoring::Create() {
  Result<Namespace> where = Namespace::Create();
  if (!where) return tl::unexpected(where.error());
  std::unique_ptr<Monitoring> monitoring(new Monitoring(std::move(*where)));
  std::string pattern =
      (std::filesystem::temp_directory_path() / "uplinkd-monitoring-XXXXXX")
          .string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return Fail(ErrorCode::kUnavailable, "monitoring: " + pattern, errno);
  }
  monitoring->directory_ = pattern;
  const Result<void> built =
      RunScript(monitoring->namespace_,
                "ip link add mgmt0 type bridge\n"
                "ip addr add 192.0.2.1/24 dev mgmt0\nip link set mgmt0 up\n");
  if (!built) return tl::unexpected(built.error());
  return monitoring;
}

Monitoring::~Monitoring() {
  prometheus_.reset();
  alertmanager_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Result<void> Monitoring::Link(const Namespace& router, std::size_t n) {
  const std::string port = "port" + std::to_string(n);
  Result<void> done = RunScript(
      router, "ip link add mgmt0 type veth peer name " + port + " netns " +
                  namespace_.Path() + "\nip addr add " + Address(n) +
                  "/24 dev mgmt0\nip link set mgmt0 up\n");
  if (!done) return done;
  return RunScript(namespace_, "ip link set " + port + " master mgmt0\n" +
                                   "ip link set " + port + " up\n");
}

Result<void> Monitoring::Configure() {
  for (const char* name : {"prometheus.yml", "uplinkd-recording.yml",
                           "uplinkd-alerts.yml", "alertmanager.yml"}) {
    const std::string text =
        ReadFile(std::filesystem::path(UPLINKD_EXAMPLES) / "prometheus" / name);
    if (text.empty()) {
      return Fail(ErrorCode::kNotFound, std::string("no ") + name);
    }
    std::ofstream(directory_ / name) << ShortenDurations(text);
  }
  return {};
}

Result<void> Monitoring::Start() {
  if (Result<void> done = Configure(); !done) return done;
  receivers_ = std::make_unique<Receivers>(namespace_);
  const auto start = [this](std::vector<std::string> arguments,
                            const char* log) {
    ProcessOptions options;
    options.arguments = std::move(arguments);
    options.output_file = directory_ / log;
    return Process::Start(namespace_, std::move(options));
  };
  auto alertmanager =
      start({"prometheus-alertmanager",
             "--config.file=" + (directory_ / "alertmanager.yml").string(),
             "--storage.path=" + (directory_ / "alertmanager").string(),
             "--web.listen-address=127.0.0.1:9093",
             "--cluster.listen-address=", "--log.level=warn"},
            "alertmanager.log");
  if (!alertmanager) return tl::unexpected(alertmanager.error());
  alertmanager_.emplace(std::move(*alertmanager));
  auto prometheus =
      start({"prometheus",
             "--config.file=" + (directory_ / "prometheus.yml").string(),
             "--storage.tsdb.path=" + (directory_ / "tsdb").string(),
             "--web.listen-address=127.0.0.1:9090",
             "--rules.alert.resend-delay=2s", "--log.level=warn"},
            "prometheus.log");
  if (!prometheus) return tl::unexpected(prometheus.error());
  prometheus_.emplace(std::move(*prometheus));
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    if (Get(kPrometheusPort, "/-/ready", {}) &&
        Get(kAlertmanagerPort, "/-/ready", {})) {
      return {};
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
  return Fail(ErrorCode::kUnavailable, "monitoring: no answer\n" + Log());
}

std::optional<std::string> Monitoring::Get(
    int port, const std::string& path,
    const std::map<std::string, std::string>& with) {
  std::optional<std::string> body;
  namespace_.Run([&] {
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(std::chrono::seconds(10));
    const httplib::Params params(with.begin(), with.end());
    const auto answer = client.Get(path, params, httplib::Headers());
    if (answer && answer->status == 200) body = answer->body;
    if (answer && answer->status == 400) body = answer->body;  // says why
  });
  return body;
}

Result<json> Monitoring::Ask(const std::string& path,
                             const std::map<std::string, std::string>& with) {
  const auto body = Get(kPrometheusPort, "/api/v1/" + path, with);
  if (!body) return Fail(ErrorCode::kUnavailable, "no answer: " + Log());
  json answer = json::parse(*body, nullptr, false);
  if (answer.is_discarded() || answer.value("status", "") != "success") {
    return Fail(ErrorCode::kInvalidArgument, *body);
  }
  return answer["data"];
}

Result<std::map<Monitoring::Labels, double>> Monitoring::Query(
    const std::string& expression) {
  const Result<json> data = Ask("query", {{"query", expression}});
  if (!data) return tl::unexpected(data.error());
  std::map<Labels, double> values;
  for (const json& series : (*data)["result"]) {
    values[series["metric"].get<Labels>()] =
        std::stod(series["value"][1].get<std::string>());
  }
  return values;
}

Result<std::map<Monitoring::Alert, Monitoring::Labels>> Monitoring::Alerts() {
  const auto body = Get(kAlertmanagerPort, "/api/v2/alerts", {});
  if (!body) return Fail(ErrorCode::kUnavailable, "no answer: " + Log());
  const json answer = json::parse(*body, nullptr, false);
  if (!answer.is_array()) return Fail(ErrorCode::kInternal, *body);
  std::map<Alert, Labels> alerts;
  for (const json& entry : answer) {
    const json& labels = entry["labels"];
    Labels& about =
        alerts[{labels.value("alertname", ""), labels.value("instance", ""),
                labels.value("uplink", "")}];
    about = entry["annotations"].get<Labels>();
    about["severity"] = labels.value("severity", "");
  }
  return alerts;
}

std::string Monitoring::Log() const {
  return ReadFile(directory_ / "prometheus.log") +
         ReadFile(directory_ / "alertmanager.log");
}

}  // namespace uplinkd::lab
