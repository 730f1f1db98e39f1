// Monitoring: a host beside the routers with a real Prometheus and a real
// Alertmanager, configured by examples/prometheus.
//
//   +------------+ 192.0.2.1      192.0.2.11 +----------+
//   | monitoring |---------------------------| router 1 |   .12 router 2, ...
//   +------------+                           +----------+
//
// Everything of the examples is used as it stands there, except that every
// duration is a thirtieth of what it says (ShortenDurations). Not for
// production code.
#ifndef UPLINKD_TESTS_LAB_MONITORING_H_
#define UPLINKD_TESTS_LAB_MONITORING_H_

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "tests/lab/namespace.h"
#include "tests/lab/process.h"

namespace uplinkd::lab {

// `text` with every duration, as 15s, 2m or 4h, divided by 30, in milliseconds.
// Words that only end like one (rate5m) stay.
std::string ShortenDurations(const std::string& text);

class Monitoring {
 public:
  using Labels = std::map<std::string, std::string>;

  // Its network, without routers.
  static Result<std::unique_ptr<Monitoring>> Create();
  ~Monitoring();

  // Links a router with the network; its address there is Address(n).
  Result<void> Link(const Namespace& router, std::size_t n);
  static std::string Address(std::size_t n);  // "192.0.2.1N"

  // Starts both servers and waits until they answer.
  Result<void> Start();

  // What the query API answers: the `data` of /api/v1/PATH, or null and why.
  Result<nlohmann::json> Ask(const std::string& path,
                             const std::map<std::string, std::string>& with);
  // The value of each series of an instant query.
  Result<std::map<Labels, double>> Query(const std::string& expression);

  // The alerts that Alertmanager has now, as {"UplinkdUplinkDown",
  // "branch", "wan1"}: name, instance, uplink ("" if it is about none).
  struct Alert {
    std::string name;
    std::string instance;
    std::string uplink;
    friend auto operator<=>(const Alert&, const Alert&) = default;
  };
  // By alert: its severity, summary and description.
  Result<std::map<Alert, Labels>> Alerts();

  // What Alertmanager has sent to a receiver of its configuration, "pager" or
  // "chat": {"firing", "UplinkdUplinkDown"}, {"resolved", ...}.
  using Notice = std::pair<std::string, std::string>;
  std::set<Notice> Received(const std::string& receiver) const;

  std::string Log() const;

 private:
  class Receivers;

  explicit Monitoring(Namespace where);

  Result<void> Configure();
  // GET in the namespace: the body of a 200, or nothing.
  std::optional<std::string> Get(
      int port, const std::string& path,
      const std::map<std::string, std::string>& with);

  Namespace namespace_;
  std::filesystem::path directory_;
  std::unique_ptr<Receivers> receivers_;
  std::optional<Process> prometheus_;
  std::optional<Process> alertmanager_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_MONITORING_H_
