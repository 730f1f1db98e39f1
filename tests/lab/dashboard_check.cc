#include "tests/lab/dashboard_check.h"

#include <algorithm>
#include <cmath>

namespace uplinkd::lab {
namespace {

using nlohmann::json;

// The largest value that may be true in a lab's run of a minute or two.
double LargestOf(const std::string& unit) {
  if (unit == "percentunit") return 1.5;  // a burst may exceed a capacity
  if (unit == "s") return 600;
  if (unit == "Bps") return 1.25e9;  // 10 Gbit/s
  return 1e6;
}

// The values of a series, of a moment or over time, without NaN.
std::vector<double> ValuesOf(const json& series) {
  std::vector<double> values;
  const auto add = [&](const json& sample) {
    const double value = std::stod(sample[1].get<std::string>());
    if (!std::isnan(value)) values.push_back(value);
  };
  if (series.contains("value")) add(series["value"]);
  if (series.contains("values")) std::ranges::for_each(series["values"], add);
  return values;
}

// What is wrong with the answer to one query; "" if nothing is.
class AnswerCheck {
 public:
  AnswerCheck(const PanelQuery& query, const DashboardRun& run)
      : query_(query), run_(run) {}

  std::string Check(const json& result) {
    if (result.empty()) return "no data";
    for (const json& series : result) CheckSeries(series);
    if (fault_.empty() && values_ == 0) return "no value is a number";
    for (const std::string& label : query_.labels) {
      if (fault_.empty() && !seen_.contains(label)) {
        return "no series has the label " + label;
      }
    }
    return fault_;
  }

 private:
  void CheckSeries(const json& series) {
    const auto labels = series["metric"].get<Monitoring::Labels>();
    for (const auto& [label, value] : labels) {
      seen_.insert(label);
      const auto known = run_.known.find(label);
      if (known != run_.known.end() && !known->second.contains(value)) {
        fault_ = "a series of the unknown ";
        fault_.append(label).append(" ").append(value);
      }
    }
    for (const std::string& label : query_.labels) {
      if (!query_.table && !labels.contains(label)) {
        fault_ = "a series lacks the label " + label;
      }
    }
    for (const double value : ValuesOf(series)) {
      ++values_;
      if (value < 0 || value > LargestOf(query_.unit)) {
        fault_ = std::to_string(value) + " is not plausible as " + query_.unit;
      }
    }
  }

  const PanelQuery& query_;
  const DashboardRun& run_;
  std::set<std::string> seen_;
  std::size_t values_ = 0;
  std::string fault_;
};

Result<json> Run(const std::string& expression, bool instant,
                 const DashboardRun& run, Monitoring& monitoring) {
  if (expression.find('$') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument, "an unknown variable");
  }
  Result<json> data =
      instant
          ? monitoring.Ask("query", {{"query", expression},
                                     {"time", std::to_string(run.moment)}})
          : monitoring.Ask("query_range", {{"query", expression},
                                           {"start", std::to_string(run.begin)},
                                           {"end", std::to_string(run.end)},
                                           {"step", "1"}});
  if (!data) return data;
  return (*data)["result"];
}

std::string CheckVariable(const VariableQuery& query, const DashboardRun& run,
                          Monitoring& monitoring) {
  if (query.label.empty()) return "is no label_values(): " + query.selector;
  const Result<json> values = monitoring.Ask("label/" + query.label + "/values",
                                             {{"match[]", query.selector}});
  if (!values) return values.error().message;
  const auto found = values->get<std::set<std::string>>();
  const auto known = run.known.find(query.label);
  if (known == run.known.end()) return "is not known to the test";
  return found == known->second ? "" : "has other values: " + values->dump();
}

}  // namespace

std::vector<std::string> CheckDashboard(const Dashboard& dashboard,
                                        const DashboardRun& run,
                                        Monitoring& monitoring) {
  std::vector<std::string> faults;
  for (const PanelQuery& query : dashboard.Queries(run.variables)) {
    const Result<json> result =
        Run(query.expression, query.instant, run, monitoring);
    const std::string fault = result ? AnswerCheck(query, run).Check(*result)
                                     : result.error().message;
    if (fault.empty()) continue;
    faults.push_back(query.panel + ": " + fault + ": " + query.expression);
  }
  for (const VariableQuery& query : dashboard.VariableQueries(run.variables)) {
    const std::string fault = CheckVariable(query, run, monitoring);
    if (!fault.empty()) faults.push_back("$" + query.name + " " + fault);
  }
  for (const std::string& query : dashboard.AnnotationQueries(run.variables)) {
    const Result<json> result = Run(query, false, run, monitoring);
    if (!result) faults.push_back(query + ": " + result.error().message);
  }
  return faults;
}

}  // namespace uplinkd::lab
