// Dashboard: a Grafana dashboard of examples/grafana, as data to be checked.
//
// Grafana itself is not there: what its panels ask is taken from the JSON, with
// the variables filled in as Grafana does. Not for production code.
#ifndef UPLINKD_TESTS_LAB_DASHBOARD_H_
#define UPLINKD_TESTS_LAB_DASHBOARD_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reconciler/result.h"

namespace uplinkd::lab {

// One query of one panel.
struct PanelQuery {
  std::string panel;  // its title
  std::string expression;
  std::string unit;      // Grafana's word: "percentunit"
  bool instant = false;  // asked for one moment, not over time
  // Labels that the panel shows: as a legend, where every series needs them, or
  // as columns of a table, where some may lack one.
  std::vector<std::string> labels;
  bool table = false;
};

// A variable's query: the values of `label` among the series of `selector`.
struct VariableQuery {
  std::string name;
  std::string selector;
  std::string label;
};

class Dashboard {
 public:
  using Variables = std::map<std::string, std::string>;

  // examples/grafana/dashboards/NAME.json
  static Result<Dashboard> Read(const std::string& name);

  // With the variables filled in. An unknown one stays as it is.
  std::vector<PanelQuery> Queries(const Variables& variables) const;
  std::vector<VariableQuery> VariableQueries(const Variables& variables) const;
  std::vector<std::string> AnnotationQueries(const Variables& variables) const;

  // What is wrong with it: panels that overlap, lack a title, a description, a
  // unit or thresholds, or ask another data source than the chosen one.
  std::vector<std::string> Faults() const;

 private:
  explicit Dashboard(nlohmann::json json) : json_(std::move(json)) {}

  nlohmann::json json_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_DASHBOARD_H_
