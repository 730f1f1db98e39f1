// What the exporter gives as a whole: documented, and of no uplink that is
// gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "exporters/metrics.h"
#include "tests/exporters/full_snapshot.h"

namespace uplinkd {
namespace {

using testing::FullSnapshot;
using ::testing::HasSubstr;
using ::testing::Not;

struct Family {
  std::string type;
  std::set<std::string> labels;  // without "le"

  friend bool operator==(const Family&, const Family&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Family& family) {
    out << family.type;
    for (const std::string& label : family.labels) out << " " << label;
    return out;
  }
};
using FamiliesByName = std::map<std::string, Family>;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What a text in the Prometheus format has.
FamiliesByName Parse(const std::string& text) {
  static const std::regex type("# TYPE (\\S+) (\\S+)");
  static const std::regex label("([a-z_]+)=\"");
  FamiliesByName families;
  Family* family = nullptr;
  for (const std::string& line : Lines(text)) {
    std::smatch match;
    if (std::regex_match(line, match, type)) {
      family = &families[match[1]];
      family->type = match[2];
    } else if (!line.starts_with('#') && family != nullptr) {
      for (std::sregex_iterator it(line.begin(), line.end(), label), end;
           it != end; ++it) {
        if ((*it)[1] != "le") family->labels.insert((*it)[1]);
      }
    }
  }
  return families;
}

// What docs/metrics.md says: | `name` | type | `label`, `label` | ... |
FamiliesByName Documented() {
  std::ifstream file(UPLINKD_DOCS "/metrics.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  static const std::regex row(
      "\\| `(uplinkd_\\w+)` \\| (\\w+) \\|([^|]*)\\|.*");
  static const std::regex label("`(\\w+)`");
  FamiliesByName families;
  for (const std::string& line : Lines(text)) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    EXPECT_FALSE(families.contains(match[1])) << match[1] << " stands twice";
    Family& family = families[match[1]];
    family.type = match[2];
    const std::string labels = match[3];
    for (std::sregex_iterator it(labels.begin(), labels.end(), label), end;
         it != end; ++it) {
      family.labels.insert((*it)[1]);
    }
  }
  return families;
}

TEST(Families, AllOfThemAreInTheFullSnapshot) {
  const FamiliesByName families = Parse(RenderMetrics(FullSnapshot()));
  std::size_t known = 0;
  for (const MetricDescription& description : DescribeMetrics()) {
    EXPECT_TRUE(families.contains(description.name)) << description.name;
    ++known;
  }
  EXPECT_EQ(families.size(), known);
}

TEST(Families, AreTheDocumentedOnesWithTheirTypesAndLabels) {
  EXPECT_EQ(Documented(), Parse(RenderMetrics(FullSnapshot())));
}

TEST(Families, EachHasAHelpLine) {
  const std::string text = RenderMetrics(FullSnapshot());
  for (const MetricDescription& description : DescribeMetrics()) {
    EXPECT_THAT(text, HasSubstr("# HELP " + description.name + " "));
  }
}

// The snapshot may still know more of it: its probes end a little later.
TEST(Families, AnUplinkThatIsGoneTakesItsSeriesAlong) {
  MetricsSnapshot s = FullSnapshot();
  ASSERT_THAT(RenderMetrics(s), HasSubstr("\"wan2\""));
  std::erase_if(s.uplinks, [](const UplinkState& uplink) {
    return uplink.name == "wan2";
  });
  const std::string text = RenderMetrics(s);
  EXPECT_THAT(text, Not(HasSubstr("\"wan2\"")));
  EXPECT_THAT(text, HasSubstr("uplinkd_failovers_total{uplink=\"wan1\"} 1\n"));
}

}  // namespace
}  // namespace uplinkd
