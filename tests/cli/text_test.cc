// The client's texts, in-process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "cli/doctor_report.h"
#include "cli/message_text.h"
#include "cli/plan_text.h"
#include "cli/screen.h"
#include "cli/status_text.h"
#include "cli/table.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Units, AreThoseOfCapacities) {
  EXPECT_EQ(HumanRate(0), "0");
  EXPECT_EQ(HumanRate(1), "8.0 bit/s");
  EXPECT_EQ(HumanRate(1250), "10 kbit/s");
  EXPECT_EQ(HumanRate(124999), "1.0 Mbit/s");
  EXPECT_EQ(HumanRate(5000000), "40 Mbit/s");
  EXPECT_EQ(HumanRate(312500000), "2.5 Gbit/s");
}

TEST(Units, OfBytesGrowByAThousand) {
  EXPECT_EQ(HumanBytes(0), "0");
  EXPECT_EQ(HumanBytes(128), "128 B");
  EXPECT_EQ(HumanBytes(1234567), "1.2 MB");
  EXPECT_EQ(HumanBytes(25e12), "25 TB");
}

TEST(Units, RoundShares) {
  EXPECT_EQ(HumanShare(0), "0 %");
  EXPECT_EQ(HumanShare(0.333), "33 %");
  EXPECT_EQ(HumanShare(1), "100 %");
}

TEST(Units, TellAgesInOneUnit) {
  EXPECT_EQ(HumanAge(0), "0s");
  EXPECT_EQ(HumanAge(119), "119s");
  EXPECT_EQ(HumanAge(120), "2m");
  EXPECT_EQ(HumanAge(7200), "2h");
  EXPECT_EQ(HumanAge(200000), "2d");
}

TEST(Table, AlignsColoursAndNotes) {
  std::ostringstream out;
  Table table({"A", "LONG", "C"});
  table.AddRow({{"first", Color::kRed}, {"x"}, {"y"}});
  table.AddNote("why");
  table.Print(Screen(out, out, true));
  EXPECT_EQ(out.str(),
            "\x1b[1mA\x1b[0m      \x1b[1mLONG\x1b[0m  \x1b[1mC\x1b[0m\n"
            "\x1b[31mfirst\x1b[0m  x     y\n"
            "  why\n");
}

TEST(Table, ShowsControlCharactersWithTheirWidth) {
  std::ostringstream out;
  Table table({"A", "B"});
  table.AddRow({{"x\x1b[2J", Color::kRed}, {"y"}});
  table.AddNote("why\nx", Color::kYellow);
  table.Print(Screen(out, out, false));
  EXPECT_EQ(out.str(),
            "A         B\n"
            "x\\x1b[2J  y\n"
            "  why\\nx\n");
}

TEST(Screen, ShowsControlCharactersOfStringsOnly) {
  std::ostringstream out;
  const Screen screen(out, out, true);
  const std::string foreign = "a\nb\x1b[0m";
  screen.out() << foreign << '\n'
               << std::string_view(foreign) << "\n"
               << screen.Paint(Color::kRed, foreign) << 7 << std::endl;
  screen.err() << AsItIs{foreign};
  EXPECT_EQ(out.str(),
            "a\\nb\\x1b[0m\n"
            "a\\nb\\x1b[0m\n"
            "\x1b[31ma\\nb\\x1b[0m\x1b[0m7\n"
            "a\nb\x1b[0m");
}

TEST(StatusText, ShowsControlCharacters) {
  const std::string foreign = "x\ny\x1b[31m";
  v1::Status status;
  status.set_name(foreign);
  status.set_revision(foreign);
  status.add_warnings(foreign);
  v1::Condition& condition = *status.add_conditions();
  condition.set_type("Paused");
  condition.set_message(foreign);
  v1::UplinkStatus& wan1 = *status.add_uplinks();
  wan1.set_reason(foreign);
  wan1.mutable_health()->add_probes()->set_fault(foreign);
  wan1.mutable_health()->set_state("Degraded");
  wan1.mutable_health()->set_reason(foreign);
  std::ostringstream out;
  PrintStatus(status, {}, Screen(out, out, false));
  EXPECT_THAT(out.str(), Not(HasSubstr("x\ny")));
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));

  v1::WatchResponse response;
  response.mutable_event()->set_message(foreign);
  response.mutable_event()->add_plan()->set_reason(foreign);
  std::ostringstream line;
  PrintEvent(response, Screen(line, line, true));
  EXPECT_THAT(line.str(), HasSubstr(": x\\ny\\x1b[31m | "));
  EXPECT_EQ(line.str().find('\n'), line.str().size() - 1);
}

TEST(StatusText, ShowsWhatProbesSay) {
  v1::Status status;
  v1::UplinkStatus& wan1 = *status.add_uplinks();
  wan1.set_name("wan1");
  wan1.set_phase("Ready");
  std::ostringstream without;
  PrintStatus(status, {}, Screen(without, without, false));
  EXPECT_THAT(without.str(), Not(HasSubstr("PROBE")));

  v1::HealthStatus& health = *wan1.mutable_health();
  health.set_state("Degraded");
  health.set_reason("loses 25%");
  health.set_loss(0.25);
  health.mutable_latency()->set_nanos(12'000'000);
  v1::ProbeStatus& icmp = *health.add_probes();
  icmp.set_name("icmp 192.0.2.53");
  icmp.set_answered(true);
  icmp.mutable_latency()->set_nanos(14'000'000);
  v1::ProbeStatus& tcp = *health.add_probes();
  tcp.set_name("tcp 192.0.2.7:443");
  tcp.set_answered(false);
  tcp.set_fault("Connection refused");
  health.add_probes()->set_name("arp gateway");
  std::ostringstream out;
  PrintStatus(status, {}, Screen(out, out, false));
  EXPECT_THAT(
      out.str(),
      EndsWith(
          "UPLINK  HEALTH    LOSS  LATENCY  PROBE              LAST ANSWER\n"
          "wan1    Degraded  25 %  12ms     icmp 192.0.2.53    14ms\n"
          "                                 tcp 192.0.2.7:443  Connection "
          "refused\n"
          "                                 arp gateway        -\n"
          "  loses 25%\n"));
}

TEST(StatusText, SaysThatItIsOld) {
  v1::Status status;
  google::protobuf::Timestamp now;
  now.set_seconds(1000);
  const auto text = [&] {
    std::ostringstream out;
    PrintStatus(status, now, Screen(out, out, false));
    return out.str();
  };
  EXPECT_THAT(text(), Not(HasSubstr("as of")));  // an older agent
  status.mutable_published()->set_seconds(997);
  EXPECT_THAT(text(), Not(HasSubstr("as of")));
  status.mutable_published()->set_seconds(1010);  // its clock is ahead
  EXPECT_THAT(text(), Not(HasSubstr("as of")));
  status.mutable_published()->set_seconds(988);
  EXPECT_THAT(text(), HasSubstr("\nwhat is shown is as of 12s ago\n"));
}

TEST(StatusText, ShowsAMeanThatGoesToZeroAsZero) {
  v1::Status status;
  v1::UplinkStatus& wan1 = *status.add_uplinks();
  wan1.set_receive_bytes_per_second(0.001);
  wan1.set_transmit_bytes_per_second(0.125);
  std::ostringstream out;
  PrintStatus(status, {}, Screen(out, out, false));
  EXPECT_THAT(out.str(), Not(HasSubstr("0.0 bit/s")));
  EXPECT_THAT(out.str(), HasSubstr("1.0 bit/s"));
}

TEST(StatusText, TellsMomentsToTheMillisecond) {
  google::protobuf::Timestamp moment;
  moment.set_seconds(1795694700);
  EXPECT_EQ(MomentWords(moment), "2026-11-26T12:05:00Z");
  moment.set_nanos(123456789);
  EXPECT_EQ(MomentWords(moment), "2026-11-26T12:05:00.123Z");
  moment.set_nanos(999999);
  EXPECT_EQ(MomentWords(moment), "2026-11-26T12:05:00Z");
}

TEST(MessageText, QuotesWhatYamlWouldReadAsSomethingElse) {
  v1::Condition condition;
  condition.set_type("Ready");
  condition.set_observed_generation(7);
  const auto status = [&](const std::string& text) {
    condition.set_status(text);
    return WriteYaml(condition);
  };
  EXPECT_THAT(status("Waiting"), HasSubstr("status: Waiting\n"));
  for (const char* text : {"True", "no", "null", "12", "-", "", "~"}) {
    EXPECT_THAT(status(text),
                HasSubstr("status: \"" + std::string(text) + "\"\n"));
  }
  EXPECT_THAT(status("a: b"), HasSubstr("status: \"a: b\"\n"));
}

TEST(MessageText, PrintsEmptyListsAsLists) {
  const std::string yaml = WriteYaml(v1::Status());
  EXPECT_THAT(yaml, HasSubstr("conditions: []\n"));
  EXPECT_THAT(yaml, HasSubstr("generation: \"0\"\n"));
}

TEST(MessageText, KeepsStreamsToOneLinePerMessage) {
  v1::WatchResponse response;
  response.mutable_event()->set_message("two\nlines");
  const std::string line = WriteJson(response, JsonStyle::kOneLine);
  EXPECT_THAT(line, EndsWith("}\n"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(PlanText, CountsByKind) {
  PlanLines plan;
  EXPECT_EQ(CountChanges(plan), "nothing to do");
  for (const char* sign : {"+", "+", "~", "-"}) plan.Add()->set_sign(sign);
  EXPECT_EQ(CountChanges(plan), "2 created, 1 replaced, 1 removed");
}

TEST(DoctorReport, CountsAndIndentsTheCommands) {
  std::ostringstream out;
  PrintFindings(
      {{Severity::kError, "one", "It is wrong", "because", "first\nsecond"}},
      Screen(out, out, false));
  EXPECT_EQ(out.str(),
            "error: It is wrong [one]\n"
            "  why: because\n"
            "  mend:\n"
            "    first\n"
            "    second\n"
            "\n"
            "1 error, 0 warnings, 0 notes\n");
}

TEST(DoctorReport, DoesNotCountNotesAsSomethingToMend) {
  EXPECT_FALSE(AnythingToMend({}));
  EXPECT_FALSE(AnythingToMend({{Severity::kNote, "n", "", "", ""}}));
  EXPECT_TRUE(AnythingToMend({{Severity::kWarning, "w", "", "", ""}}));
}

TEST(DoctorReport, IsAListInJsonEvenIfEmpty) {
  EXPECT_THAT(FindingsJson({}), HasSubstr("\"findings\": []"));
}

}  // namespace
}  // namespace uplinkd
