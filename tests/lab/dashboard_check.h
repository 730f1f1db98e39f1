// Runs what a dashboard asks on the real Prometheus of a fleet, and says what
// is wrong with the answers. Not for production code.
#ifndef UPLINKD_TESTS_LAB_DASHBOARD_CHECK_H_
#define UPLINKD_TESTS_LAB_DASHBOARD_CHECK_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/lab/dashboard.h"
#include "tests/lab/monitoring.h"

namespace uplinkd::lab {

struct DashboardRun {
  Dashboard::Variables variables;
  // Seconds since the epoch: graphs are asked from `begin` to `end`, what shows
  // one moment at `moment`.
  double begin = 0;
  double moment = 0;
  double end = 0;
  // What may be seen of these labels, and has to be among the variables'
  // values: {"instance", {"office", ...}}.
  std::map<std::string, std::set<std::string>> known;
};

// Every query has to have data, with the labels that its panel shows, of the
// known routers and uplinks alone, of a size that its unit makes plausible.
std::vector<std::string> CheckDashboard(const Dashboard& dashboard,
                                        const DashboardRun& run,
                                        Monitoring& monitoring);

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_DASHBOARD_CHECK_H_
