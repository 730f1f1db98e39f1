#include "tests/lab/dashboard.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <utility>

namespace uplinkd::lab {
namespace {

using nlohmann::json;

// Grafana's own variables, as for a graph of a run in the lab.
const Dashboard::Variables& OwnVariables() {
  static const Dashboard::Variables own = {{"__rate_interval", "10s"},
                                           {"__range", "60s"}};
  return own;
}

std::string FillIn(std::string text, const Dashboard::Variables& variables) {
  for (const auto* some : {&variables, &OwnVariables()}) {
    for (const auto& [name, value] : *some) {
      std::string variable = "\\$";
      variable.append(name).append("\\b");
      text = std::regex_replace(text, std::regex(variable), value);
    }
  }
  return text;
}

// The labels in "{{uplink}} {{direction}}".
std::vector<std::string> LabelsOfLegend(const std::string& legend) {
  static const std::regex label(R"(\{\{(\w+)\}\})");
  std::vector<std::string> labels;
  for (std::sregex_iterator it(legend.begin(), legend.end(), label), end;
       it != end; ++it) {
    labels.push_back((*it)[1]);
  }
  return labels;
}

// The columns that a table keeps, without that of the value.
std::vector<std::string> LabelsOfTable(const json& panel) {
  std::vector<std::string> labels;
  for (const json& step : panel["transformations"]) {
    if (step["id"] != "filterFieldsByName") continue;
    for (const json& name : step["options"]["include"]["names"]) {
      if (name != "Value") labels.push_back(name);
    }
  }
  return labels;
}

// Places in the grid of 24 columns.
void Occupy(const json& panel, std::set<std::pair<int, int>>& taken,
            std::vector<std::string>& faults) {
  const json& at = panel["gridPos"];
  const int left = at["x"];
  const int top = at["y"];
  const int width = at["w"];
  const int height = at["h"];
  if (left < 0 || left + width > 24) {
    faults.push_back(panel["title"].get<std::string>() + " is too wide");
  }
  for (int x = left; x < left + width; ++x) {
    for (int y = top; y < top + height; ++y) {
      if (taken.emplace(x, y).second) continue;
      faults.push_back(panel["title"].get<std::string>() + " overlaps");
      return;
    }
  }
}

void CheckPanel(const json& panel, std::vector<std::string>& faults) {
  const std::string title = panel.value("title", "");
  const auto need = [&](bool there, const char* what) {
    if (!there) faults.push_back("\"" + title + "\" lacks " + what);
  };
  need(!title.empty(), "a title");
  if (panel["type"] == "row") return;
  const json& defaults = panel["fieldConfig"]["defaults"];
  need(!panel.value("description", "").empty(), "a description");
  need(!defaults.value("unit", "").empty(), "a unit");
  need(panel["datasource"]["uid"] == "${datasource}", "the data source");
  need(!panel["targets"].empty(), "a query");
  if (panel["type"] == "stat" || panel["type"] == "state-timeline") {
    need(defaults.contains("thresholds"), "thresholds");
  }
  for (const json& target : panel["targets"]) {
    need(target["datasource"]["uid"] == "${datasource}", "the data source");
    if (panel["type"] == "timeseries" || panel["type"] == "state-timeline") {
      need(!target.value("legendFormat", "").empty(), "a legend");
    }
  }
}

}  // namespace

Result<Dashboard> Dashboard::Read(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(UPLINKD_EXAMPLES) /
                                     "grafana" / "dashboards" /
                                     (name + ".json");
  std::ifstream file(path);
  json json = json::parse(file, nullptr, false);
  if (json.is_discarded()) {
    return Fail(ErrorCode::kInvalidArgument, path.string() + " is no JSON");
  }
  return Dashboard(std::move(json));
}

std::vector<PanelQuery> Dashboard::Queries(const Variables& variables) const {
  std::vector<PanelQuery> queries;
  for (const json& panel : json_["panels"]) {
    if (panel["type"] == "row") continue;
    for (const json& target : panel["targets"]) {
      PanelQuery query;
      query.panel = panel["title"];
      query.expression = FillIn(target["expr"], variables);
      query.unit = panel["fieldConfig"]["defaults"]["unit"];
      query.instant = target.value("instant", false);
      query.table = panel["type"] == "table";
      query.labels = query.table
                         ? LabelsOfTable(panel)
                         : LabelsOfLegend(target.value("legendFormat", ""));
      queries.push_back(std::move(query));
    }
  }
  return queries;
}

std::vector<VariableQuery> Dashboard::VariableQueries(
    const Variables& variables) const {
  static const std::regex label_values(R"(label_values\((.+), (\w+)\))");
  std::vector<VariableQuery> queries;
  for (const json& variable : json_["templating"]["list"]) {
    if (variable["type"] != "query") continue;
    const std::string text =
        FillIn(variable["query"]["query"].get<std::string>(), variables);
    std::smatch match;
    VariableQuery query{variable["name"], text, ""};
    if (std::regex_match(text, match, label_values)) {
      query.selector = match[1];
      query.label = match[2];
    }
    queries.push_back(std::move(query));
  }
  return queries;
}

std::vector<std::string> Dashboard::AnnotationQueries(
    const Variables& variables) const {
  std::vector<std::string> queries;
  for (const json& annotation : json_["annotations"]["list"]) {
    queries.push_back(FillIn(annotation["expr"], variables));
  }
  return queries;
}

std::vector<std::string> Dashboard::Faults() const {
  std::vector<std::string> faults;
  std::set<int> ids;
  std::set<std::pair<int, int>> taken;
  for (const json& panel : json_["panels"]) {
    if (!ids.insert(panel["id"].get<int>()).second) {
      faults.push_back("two panels have the id " + panel["id"].dump());
    }
    Occupy(panel, taken, faults);
    CheckPanel(panel, faults);
  }
  if (json_["panels"][0]["type"] != "row") faults.push_back("no first row");
  return faults;
}

}  // namespace uplinkd::lab
