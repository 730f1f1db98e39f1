// The reader's answers, word for word: what an operator sees.
#include "proto/spec_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "proto/convert.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> Rendered(const std::vector<SpecFault>& faults) {
  std::vector<std::string> lines;
  lines.reserve(faults.size());
  for (const SpecFault& fault : faults) lines.push_back(RenderFault(fault));
  return lines;
}

// Everything that is wrong with a file, as `uplinkctl validate` prints it.
std::vector<std::string> Faults(std::string_view text) {
  const auto file = ReadSpecText(text, "f");
  if (!file) return Rendered(file.error());
  return Rendered(Locate(*file, SpecFromProto(file->router).violations));
}

constexpr std::string_view kGood =
    "apiVersion: uplinkd/v1\n"
    "kind: Router\n"
    "spec:\n"
    "  lans: [{interface: lan0}]\n"
    "  uplinks:\n"
    "    - {name: wan1, interface: eth1, weight: 3}\n"
    "    - name: wan2\n"
    "      interface: eth2\n"
    "      weight: 1\n"
    "  balance: {algorithm: multipath}\n";

// The good file with one piece replaced by another.
std::string With(std::string_view piece, std::string_view other) {
  std::string text(kGood);
  const std::size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return text.replace(at, piece.size(), other);
}

// The good file with this health for wan1.
std::string WithHealth(std::string_view health) {
  return With("weight: 3", "weight: 3, health: " + std::string(health));
}

TEST(SpecReader, ReadsHealth) {
  const auto file = ReadSpecText(
      WithHealth("{probes: [{icmp: 192.0.2.53}, {dns: {server: 192.0.2.53, "
                 "name: example.net}}], loss: {degraded: 20%, "
                 "recovered: 0.5%}}"),
      "f");
  ASSERT_TRUE(file);
  const v1::Health& health = file->router.spec().uplinks(0).health();
  EXPECT_EQ(health.probes(0).icmp(), "192.0.2.53");
  EXPECT_EQ(health.probes(1).dns().name(), "example.net");
  EXPECT_EQ(health.loss().degraded().hundredths(), 2000U);
  EXPECT_EQ(health.loss().recovered().hundredths(), 50U);
}

TEST(SpecReader, FindsEveryFaultOfHealth) {
  EXPECT_THAT(
      Faults(WithHealth("{probes: [{icmp: 192.0.2.53, arp: gateway}, {}, "
                        "{ping: 192.0.2.1}], loss: {degraded: 20}}")),
      ElementsAre(
          "f:6:85: spec.uplinks[0].health.probes[0].arp: cannot stand beside "
          "icmp; write an item of its own",
          "f:6:100: spec.uplinks[0].health.probes[1]: says nothing to probe; "
          "write icmp, tcp, dns, http or arp",
          "f:6:105: spec.uplinks[0].health.probes[2].ping: unknown key "
          "\"ping\"; "
          "known are icmp, tcp, dns, http and arp",
          "f:6:141: spec.uplinks[0].health.loss.degraded: \"20\" is not a "
          "percentage; write a number with a percent sign, such as 20%"));
  EXPECT_THAT(
      Faults(WithHealth("{probes: [{tcp: 192.0.2.1}, {tcp: \"192.0.2.1:0x\"}, "
                        "{arp: gate}, {http: {url: \"http://a/\", "
                        "address: 192.0.2.0/24}}], quorum: 5, "
                        "latency: {degraded: 1s}}")),
      ElementsAre(
          "f:6:72: spec.uplinks[0].health.probes[0].tcp: \"192.0.2.1\" is not "
          "an address and a port; write it like 198.51.100.7:443 or "
          "[2001:db8::7]:443",
          "f:6:90: spec.uplinks[0].health.probes[1].tcp: \"192.0.2.1:0x\" is "
          "not an address and a port; write it like 198.51.100.7:443 or "
          "[2001:db8::7]:443",
          "f:6:113: spec.uplinks[0].health.probes[2].arp: \"gate\" is neither "
          "`gateway` nor an address on the link",
          "f:6:155: spec.uplinks[0].health.probes[3].http.address: "
          "192.0.2.0/24 has a prefix length; write the address alone, "
          "192.0.2.0",
          "f:6:180: spec.uplinks[0].health.quorum: 5 answers can never come "
          "from 4 probes",
          "f:6:183: spec.uplinks[0].health.latency.recovered: is needed: each "
          "limit goes with the other one"));
}

TEST(SpecReader, ReadsAGoodFile) {
  EXPECT_THAT(Faults(kGood), IsEmpty());
  const auto file = ReadSpecText(kGood, "f");
  EXPECT_EQ(file->router.spec().uplinks(0).weight(), 3U);
  EXPECT_EQ(file->router.spec().uplinks(1).interface(), "eth2");
  EXPECT_EQ(file->router.spec().balance().algorithm(), v1::ALGORITHM_MULTIPATH);
}

TEST(SpecReader, ReadsJson) {
  const auto file = ReadSpecText(
      "{\n"
      "\t\"apiVersion\": \"uplinkd/v1\", \"kind\": \"Router\",\n"
      "\t\"metadata\": {\"name\": \"caf\\u00e9\"},\n"
      "\t\"spec\": {\n"
      "\t\t\"uplinks\": [{\"name\": \"a\", \"interface\": \"b\", \"id\": 7,\n"
      "\t\t\t\"capacity\": {\"download\": {\"bitsPerSecond\": \"5000000\"},\n"
      "\t\t\t\t\"upload\": \"1mbit\"}}],\n"
      "\t\t\"balance\": {\"measure\": \"both\",\n"
      "\t\t\t\"estimator\": {\"interval\": \"0.5s\"}},\n"
      "\t\t\"marks\": {\"mask\": 65280}}}\n",
      "f");
  ASSERT_TRUE(file) << RenderFault(file.error().front());
  EXPECT_EQ(file->router.metadata().name(), "caf\xc3\xa9");
  const v1::RouterSpec& spec = file->router.spec();
  EXPECT_EQ(spec.uplinks(0).id(), 7U);
  EXPECT_EQ(spec.uplinks(0).capacity().download().bits_per_second(),
            5'000'000U);
  EXPECT_EQ(spec.uplinks(0).capacity().upload().bits_per_second(), 1'000'000U);
  EXPECT_EQ(spec.balance().estimator().interval().nanos(), 500'000'000);
  EXPECT_EQ(spec.marks().mask(), 0xff00U);
  EXPECT_THAT(SpecFromProto(file->router).violations, IsEmpty());
}

TEST(SpecReader, TakesWordsThatYamlTakesForSomethingElse) {
  const auto file = ReadSpecText(With("name: wan2", "name: no"), "f");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->router.spec().uplinks(1).name(), "no");
}

TEST(SpecReader, KnowsWhereEachFieldStands) {
  const auto file = ReadSpecText(kGood, "f");
  ASSERT_TRUE(file);
  const auto at = [&file](const char* field) {
    return file->positions.at(field);
  };
  EXPECT_EQ(at(""), (Position{1, 1}));
  EXPECT_EQ(at("kind"), (Position{2, 7}));
  EXPECT_EQ(at("spec.uplinks"), (Position{5, 3}));
  EXPECT_EQ(at("spec.uplinks[0]"), (Position{6, 7}));
  EXPECT_EQ(at("spec.uplinks[0].weight"), (Position{6, 45}));
  EXPECT_EQ(at("spec.uplinks[1].weight"), (Position{9, 15}));
}

TEST(SpecReader, LocatesAMissingFieldAtWhatIsAroundIt) {
  const auto file = ReadSpecText(kGood, "f");
  ASSERT_TRUE(file);
  EXPECT_THAT(
      Rendered(Locate(*file, {{"spec.uplinks[1].capacity.download", "b"},
                              {"spec.uplinks[7].name", "a"},
                              {"metadata.name", "c"}})),
      ElementsAre("f:1:1: metadata.name: c", "f:5:3: spec.uplinks[7].name: a",
                  "f:7:7: spec.uplinks[1].capacity.download: b"));
}

// A file, and all that is then said about it.
struct Case {
  const char* name;
  std::string text;
  std::vector<std::string> faults;
};

void PrintTo(const Case& test_case, std::ostream* out) {
  *out << test_case.name;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

class BadFile : public ::testing::TestWithParam<Case> {};

TEST_P(BadFile, IsAnsweredWordForWord) {
  EXPECT_EQ(Faults(GetParam().text), GetParam().faults);
}

constexpr const char* kNothing =
    "f:1:1: there is no spec in this file; it begins with apiVersion: "
    "uplinkd/v1";

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadFile,
    ::testing::Values(
        Case{"Empty", "", {kNothing}}, Case{"Blank", " \n\t\n", {kNothing}},
        Case{"Comment", "# nothing\n", {kNothing}},
        Case{"Null", "null\n", {kNothing}},
        Case{"Scalar",
             "hello\n",
             {"f:1:1: is a single value; a map is expected: known are "
              "apiVersion, kind, metadata and spec"}},
        Case{"TopList",
             "- a\n",
             {"f:1:1: is a list; a map is expected: known are apiVersion, "
              "kind, metadata and spec"}},
        Case{"SecondDocument",
             std::string(kGood) + "---\nkind: Router\n",
             {"f:11:1: a second document begins here; a file holds one "
              "spec"}},
        Case{"TabIndents",
             With("  lans:", "\tlans:"),
             {"f:4:1: a tab indents this line; use spaces"}},
        Case{"OpenQuote",
             With("eth2", "\"eth2"),
             {"f:8:7: a quote that opens after this is not closed"}},
        Case{"OpenQuoteAtTheEnd",
             "kind: \"Router\n",
             {"f:1:1: a quote that opens after this is not closed"}},
        Case{"OpenBrace",
             With("{algorithm: multipath}", "{algorithm: multipath"),
             {"f:10:33: a ',' or '}' is missing before this"}},
        Case{"OpenBracket",
             With("{interface: lan0}]", "{interface: lan0}"),
             {"f:5:3: a ',' or ']' is missing before this"}},
        Case{"ClosesNothing",
             std::string(kGood) + "}\n",
             {"f:11:1: a ']' or '}' closes nothing"}},
        Case{"Indentation",
             With("      weight: 1", "     weight: 1"),
             {"f:9:6: this belongs to no list above it; check the indentation "
              "and the quotes"}},
        Case{"TwoColons",
             With("name: wan2", "name: wan2: x"),
             {"f:7:17: a ':' is where no value can be; check the indentation "
              "and the quotes of this line and the one before"}},
        Case{"NotUtf8",
             With("wan2", "wan\xff"),
             {"f:7:16: the byte 0xff is not UTF-8 text; a spec is YAML or "
              "JSON"}},
        Case{"Surrogate",
             With("wan2", "\xed\xa0\x80"),
             {"f:7:13: the byte 0xed is not UTF-8 text; a spec is YAML or "
              "JSON"}},
        Case{"OverlongSlash",
             With("wan2", "\xc0\xaf"),
             {"f:7:13: the byte 0xc0 is not UTF-8 text; a spec is YAML or "
              "JSON"}},
        Case{"ControlCharacter",
             With("wan2", "wan\x04"),
             {"f:7:16: the byte 0x04 is a control character; a spec is YAML "
              "or JSON"}},
        Case{"TooDeep",
             std::string(100'000, '['),
             {"f:1:250: this is nested too deeply for a spec"}},
        Case{"TooLarge",
             std::string(kMaxSpecBytes + 1, ' '),
             {"f: is larger than 1 MiB, too large for a spec"}}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Shape, BadFile,
    ::testing::Values(
        Case{"UnknownKey",
             With("weight: 3", "wieght: 3"),
             {"f:6:37: spec.uplinks[0].wieght: unknown key \"wieght\"; did "
              "you mean weight?"}},
        Case{"UnknownKeyNotNear",
             With("balance: {", "balance: {colour: red, "),
             {"f:10:13: spec.balance.colour: unknown key \"colour\"; known "
              "are algorithm, measure, estimator, tiers, lastResort, "
              "threshold, onFailover, onFailback, drainDeadline and affinity"}},
        Case{"SnakeCase",
             With("apiVersion", "api_version"),
             {"f:1:1: api_version: unknown key \"api_version\"; did you mean "
              "apiVersion?",
              "f:1:1: apiVersion: is missing; write apiVersion: uplinkd/v1"}},
        Case{"DuplicateKey",
             With("weight: 1", "weight: 1\n      weight: 2"),
             {"f:10:7: spec.uplinks[1].weight: is given twice; the first is "
              "in line 9"}},
        Case{"KeyIsNoWord",
             With("spec:", "[1]: 2\nspec:"),
             {"f:3:1: has a key that is not a word"}},
        Case{"HostileKey",
             With("spec:", "\"\\e[2J\": 2\nspec:"),
             {"f:3:1: unknown key \"?[2J\"; known are apiVersion, kind, "
              "metadata and spec"}},
        Case{"MergeKey",
             With("    - name: wan2", "    - <<: {}\n      name: wan2"),
             {"f:7:7: spec.uplinks[1]: unknown key \"<<\"; known are name, "
              "interface, address, gateway, id, capacity, nat, weight, health, "
              "state, family, address6, gateway6, nat6, prefix6 and "
              "prefix6Interface"}},
        Case{"Anchor",
             With("interface: eth2", "interface: &x eth2"),
             {"f:8:7: spec.uplinks[1].interface: has an anchor or an alias, "
              "which a spec cannot hold; write the value out"}},
        Case{"Tag",
             With("interface: eth2", "interface: !!str eth2"),
             {"f:8:7: spec.uplinks[1].interface: has the tag "
              "tag:yaml.org,2002:str, which a spec cannot hold"}},
        Case{"NoValue",
             With("interface: eth2", "interface:"),
             {"f:8:7: spec.uplinks[1].interface: has no value; give it one or "
              "remove the key"}},
        Case{"ListForAValue",
             With("interface: eth2", "interface: [eth2]"),
             {"f:8:18: spec.uplinks[1].interface: is a list; a single value "
              "is expected"}},
        Case{"MapForAList",
             With("[{interface: lan0}]", "{interface: lan0}"),
             {"f:4:9: spec.lans: is a map; a list is expected"}},
        Case{"ValueForAMap",
             With("{algorithm: multipath}", "multipath"),
             {"f:10:12: spec.balance: is a single value; a map is expected: "
              "known are algorithm, measure, estimator, tiers, lastResort, "
              "threshold, onFailover, onFailback, drainDeadline and affinity"}},
        Case{"NullItem",
             With("{interface: lan0}", "~"),
             {"f:4:10: spec.lans[0]: is nothing; a map is expected: known are "
              "interface and networks"}},
        Case{"NoApiVersion",
             With("apiVersion: uplinkd/v1\n", ""),
             {"f:1:1: apiVersion: is missing; write apiVersion: uplinkd/v1"}},
        Case{"NoKind",
             With("kind: Router\n", ""),
             {"f:1:1: kind: is missing; write kind: Router"}},
        Case{"EmptyWords",
             With("apiVersion: uplinkd/v1\nkind: Router\n",
                  "apiVersion: \"\"\nkind: ''\n"),
             {"f:1:13: apiVersion: is empty; write apiVersion: uplinkd/v1",
              "f:2:7: kind: is empty; write kind: Router"}},
        Case{"NullWord",
             With("kind: Router", "kind:"),
             {"f:2:1: kind: has no value; give it one or remove the key"}},
        Case{"OtherVersion",
             With("uplinkd/v1", "uplinkd/v2"),
             {"f:1:13: apiVersion: is \"uplinkd/v2\"; this version reads "
              "\"uplinkd/v1\""}},
        Case{"OtherKind",
             With("Router", "Switch"),
             {"f:2:7: kind: is \"Switch\"; this version reads \"Router\""}},
        Case{"NoSpec",
             "apiVersion: uplinkd/v1\nkind: Router\n",
             {"f:1:1: spec.uplinks: at least one uplink is needed"}}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Values, BadFile,
    ::testing::Values(
        Case{"Unit",
             With("weight: 3", "capacity: {download: 40mb}, weight: 3"),
             {"f:6:58: spec.uplinks[0].capacity.download: \"40mb\" is not a "
              "bit rate; did you mean 40mbit?"}},
        Case{"Enum",
             With("multipath", "multi-paths"),
             {"f:10:24: spec.balance.algorithm: \"multi-paths\" is not known; "
              "did you mean multipath?"}},
        Case{"EnumNotNear",
             With("multipath", "magic"),
             {"f:10:24: spec.balance.algorithm: \"magic\" is not known; known "
              "are least-loaded, weighted-random, round-robin, source-hash, "
              "multipath, failover, least-connections, overflow "
              "and lowest-latency"}},
        Case{"EnumUnspecified",
             With("weight: 3", "weight: 3, nat: unspecified"),
             {"f:6:53: spec.uplinks[0].nat: \"unspecified\" is not known; "
              "known are snat, masquerade, none and prefix"}},
        Case{"Negative",
             With("weight: 3", "weight: -3"),
             {"f:6:45: spec.uplinks[0].weight: \"-3\" is not a whole number "
              "of 0 or more"}},
        Case{"TooLarge",
             With("weight: 3", "weight: 4294967296"),
             {"f:6:45: spec.uplinks[0].weight: \"4294967296\" is too large; "
              "at most 4294967295"}},
        Case{"Octal",
             With("weight: 3", "weight: 010"),
             {"f:6:45: spec.uplinks[0].weight: \"010\" has a leading zero; "
              "write it without, or in hex"}},
        Case{"Duration",
             With("{algorithm", "{estimator: {interval: 300}, algorithm"),
             {"f:10:35: spec.balance.estimator.interval: \"300\" is not a "
              "duration; write a number with h, m, s, ms, us or ns, such as "
              "250ms or 1m30s"}}),
    CaseName);

// Reading and validating answer together, without echoes: the fields that
// could not be read are not also called missing.
INSTANTIATE_TEST_SUITE_P(
    Together, BadFile,
    ::testing::Values(
        Case{"ReadingAndRules",
             With("weight: 3}", "weight: 0, adress: 1}") + "  tables: {base: "
                                                           "0}\n",
             {"f:6:45: spec.uplinks[0].weight: 0 would never be chosen; use 1 "
              "to 65535, or remove the uplink",
              "f:6:48: spec.uplinks[0].adress: unknown key \"adress\"; did "
              "you mean address?",
              "f:11:18: spec.tables.base: 0 is not a table for us; use 1 to "
              "2147483647, but not 253, 254 or 255"}},
        Case{
            "MissingElsewhere",
            With("weight: 3", "capacity: {download: 40mb}") + "  colour: red\n",
            {"f:6:7: spec.uplinks[0].weight: is needed since other uplinks "
             "have one; a weight and a capacity cannot be compared",
             "f:6:58: spec.uplinks[0].capacity.download: \"40mb\" is not a "
             "bit rate; did you mean 40mbit?",
             "f:11:3: spec.colour: unknown key \"colour\"; known are lans, "
             "uplinks, balance, policies, traffic, local, marks and tables"}},
        Case{"NoEchoOfAnUnreadAlgorithm",
             With("multipath", "multipat"),
             {"f:10:24: spec.balance.algorithm: \"multipat\" is not known; "
              "did you mean multipath?"}},
        Case{"NoEchoOfAnUnreadMask",
             With("weight: 3", "weight: 3, id: 299") + "  marks: {mask: "
                                                       "0xfffg}\n",
             {"f:11:17: spec.marks.mask: \"0xfffg\" is not a whole number of "
              "0 or more"}},
        Case{"NoEchoOfAMisspeltList",
             With("uplinks:", "uplink:"),
             {"f:5:3: spec.uplink: unknown key \"uplink\"; did you mean "
              "uplinks?"}},
        Case{"IndicesAreThoseOfTheFile",
             With("[{interface: lan0}]",
                  "[[], {interface: lo}, {interface: lan1, networks: [[], "
                  "::/0]}]"),
             {"f:4:10: spec.lans[0]: is a list; a map is expected: known are "
              "interface and networks",
              "f:4:26: spec.lans[1].interface: lo is the loopback, which "
              "carries no such traffic",
              "f:4:60: spec.lans[2].networks[0]: is a list; a single value is "
              "expected",
              "f:4:64: spec.lans[2].networks[1]: ::/0 is every address"}}),
    CaseName);

TEST(SpecReader, DoesNotGrowAnAliasBomb) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) text += before + (j < 8 ? ", " : "]\n");
  }
  EXPECT_THAT(Faults(text), SizeIs(42));
}

TEST(SpecReader, CountsWhatIsNotWorthALine) {
  std::string text(kGood);
  for (int i = 0; i < 50'000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const std::vector<std::string> faults = Faults(text);
  EXPECT_THAT(faults, SizeIs(101));
  EXPECT_EQ(faults.back(), "f:110:1: and 49900 more faults");
}

TEST(SpecReader, StaysQuickWithAHugeList) {
  std::string text = "apiVersion: uplinkd/v1\nkind: Router\nx: 1\nspec:\n";
  text += "  uplinks:\n";
  while (text.size() < kMaxSpecBytes - 10) text += "  - {}\n";
  EXPECT_THAT(Faults(text).front(), HasSubstr("unknown key \"x\""));
}

TEST(SpecReader, SaysWhyAFileCannotBeRead) {
  const auto missing = ReadSpecFile("/nonexistent/spec.yaml");
  ASSERT_FALSE(missing);
  EXPECT_THAT(Rendered(missing.error()),
              ElementsAre("/nonexistent/spec.yaml: cannot open it: No such "
                          "file or directory"));
  const auto directory = ReadSpecFile("/");
  ASSERT_FALSE(directory);
  EXPECT_THAT(Rendered(directory.error()),
              ElementsAre("/: cannot read it: Is a directory"));
}

TEST(SpecReader, ReadsAFileUnderItsName) {
  const std::string path = ::testing::TempDir() + "/uplinkd_spec_reader.yaml";
  std::FILE* const file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("kind: Router\n", file);
  std::fclose(file);
  const auto read = ReadSpecFile(path);
  std::remove(path.c_str());
  ASSERT_FALSE(read);
  EXPECT_EQ(RenderFault(read.error().front()),
            path +
                ":1:1: apiVersion: is missing; write apiVersion: "
                "uplinkd/v1");
}

}  // namespace
}  // namespace uplinkd
