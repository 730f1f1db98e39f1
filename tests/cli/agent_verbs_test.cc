// The verbs that ask the agent, against one whose answers are scripted.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AgentVerbsTest : public ScriptedAgentTest {
 protected:
  AgentVerbsTest() { Write("office.yaml", kGoodSpec); }
};

v1::PlanLine SomeLine() {
  return Line("+", "ip route replace default dev wan1 table 11",
              "the default route of wan1 is missing", "done");
}

v1::Status SomeStatus() {
  v1::Status status;
  status.set_name("office");
  status.set_revision("git:3f2c1e9");
  status.set_generation(3);
  status.set_observed_generation(3);
  status.set_corrections(12);
  status.set_agent_version("0.1.0");
  v1::Condition& ready = *status.add_conditions();
  ready.set_type("Ready");
  ready.set_status("False");
  ready.set_reason("UplinkWaiting");
  ready.set_message("1 of 2 uplinks wait");
  v1::UplinkStatus& wan1 = *status.add_uplinks();
  wan1.set_name("wan1");
  wan1.set_phase("Ready");
  wan1.set_interface("eth1");
  wan1.set_address("198.51.100.2");
  wan1.set_gateway("198.51.100.1");
  wan1.set_intended_share(0.8);
  wan1.set_achieved_share(0.783);
  wan1.set_receive_bytes_per_second(4775000);
  wan1.set_transmit_bytes_per_second(100);
  wan1.set_connections(123);
  v1::UplinkStatus& wan2 = *status.add_uplinks();
  wan2.set_name("wan2");
  wan2.set_phase("Waiting");
  wan2.set_reason("interface wan2 does not exist");
  return status;
}

// ---- reaching the agent ----

TEST_F(AgentVerbsTest, SaysWhatToDoWhereNoAgentAnswers) {
  for (const char* verb : {"status", "get", "watch", "diff", "cleanup",
                           "apply -f office.yaml", "diff -f office.yaml"}) {
    const auto result =
        Ctl(std::string(verb) + " --address unix:///nonexistent/socket");
    EXPECT_EQ(result.exit_code, 3) << verb;
    EXPECT_EQ(result.out, "") << verb;
    EXPECT_THAT(result.err, AllOf(StartsWith("uplinkctl: no agent answers at "
                                             "unix:///nonexistent/socket"),
                                  HasSubstr("systemctl status uplinkd"),
                                  HasSubstr("UPLINKD_ADDRESS")))
        << verb;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1)
        << result.err;
  }
}

TEST_F(AgentVerbsTest, PrefersTheOptionToTheEnvironment) {
  agent_.status_response.mutable_status()->set_name("office");
  const auto result = Ctl("status --address unix://" + socket(),
                          "UPLINKD_ADDRESS=unix:///nonexistent");
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(AgentVerbsTest, DoesNotWaitForeverForAnAnswer) {
  agent_.delay = std::chrono::seconds(2);
  const auto result = Ask("status --timeout 200ms");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("did not answer in time"));
}

// ---- diff ----

TEST_F(AgentVerbsTest, DiffIsSilentInSync) {
  const auto result = Ask("diff -f office.yaml");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(agent_.diff_request.router().spec().uplinks(1).name(), "wan2");
}

TEST_F(AgentVerbsTest, DiffPrintsTheChangesWithTheirReasons) {
  *agent_.diff.add_plan() =
      Line("+", "ip rule add priority 20101", "the mark rule is missing");
  *agent_.diff.add_plan() =
      Line("-", "ip rule del priority 20102", "it is not needed any more");
  agent_.diff.add_warnings("strict rp_filter on wan1");
  const auto result = Ask("diff -f office.yaml");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out,
            "+ ip rule add priority 20101  # the mark rule is missing\n"
            "- ip rule del priority 20102  # it is not needed any more\n");
  EXPECT_EQ(result.err, "warning: strict rp_filter on wan1\n");
}

TEST_F(AgentVerbsTest, DiffWithoutAFileAsksAboutTheAgentsOwnSpec) {
  EXPECT_EQ(Ask("diff").exit_code, 0);
  EXPECT_FALSE(agent_.diff_request.has_router());
}

// ---- apply ----

TEST_F(AgentVerbsTest, ApplySendsTheSpecAndSumsUp) {
  agent_.apply.set_generation(3);
  agent_.apply.set_in_sync(true);
  *agent_.apply.add_plan() = SomeLine();
  const auto result =
      Ask("apply -f office.yaml --wait 2s --expected-generation 2");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "+ ip route replace default dev wan1 table 11  # the default route "
            "of wan1 is missing\n"
            "generation 3 accepted, in sync: 1 created\n");
  EXPECT_EQ(agent_.apply_request.router().metadata().name(), "office");
  EXPECT_EQ(agent_.apply_request.wait().seconds(), 2);
  EXPECT_EQ(agent_.apply_request.expected_generation(), 2U);
  EXPECT_FALSE(agent_.apply_request.dry_run());
}

TEST_F(AgentVerbsTest, ApplyShowsWhatTheKernelRefused) {
  agent_.apply.set_generation(3);
  *agent_.apply.add_plan() = Line("+", "ip rule add", "it is missing", "failed",
                                  "File exists (EEXIST)");
  *agent_.apply.add_plan() = Line("+", "iptables-legacy", "new", "skipped");
  const auto result = Ask("apply -f office.yaml --wait 1s");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("\n    failed: File exists (EEXIST)\n"));
  EXPECT_THAT(result.out, HasSubstr("\n    skipped\n"));
  EXPECT_THAT(result.out, HasSubstr("generation 3 accepted, but not in sync"));
}

TEST_F(AgentVerbsTest, ApplyWithoutWaitingIsContentWithAcceptance) {
  agent_.apply.set_generation(3);
  const auto result = Ask("apply -f office.yaml --wait 0s");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(agent_.apply_request.wait().seconds(), 0);
}

TEST_F(AgentVerbsTest, ApplySaysThatAnotherSpecTookItsPlace) {
  agent_.apply.set_generation(3);
  agent_.apply.mutable_status()->set_generation(4);
  const auto result = Ask("apply -f office.yaml");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("generation 3 accepted, but generation 4 "
                                    "has taken its place"));
}

TEST_F(AgentVerbsTest, ApplySaysThatNothingIsNew) {
  agent_.apply.set_generation(3);
  agent_.apply.set_unchanged(true);
  agent_.apply.set_in_sync(true);
  EXPECT_EQ(Ask("apply -f office.yaml").out,
            "generation 3 (the same spec as before), in sync: nothing to do\n");
}

TEST_F(AgentVerbsTest, ApplyDryRunOnlyShows) {
  *agent_.apply.add_plan() = Line("~", "ip route replace", "another gateway");
  const auto result = Ask("apply -f office.yaml --dry-run");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(agent_.apply_request.dry_run());
  EXPECT_THAT(result.out,
              EndsWith("dry run, nothing was done; it would be: 1 replaced\n"));
}

TEST_F(AgentVerbsTest, ApplyDoesNotAskTheAgentAboutASpecItCannotRead) {
  Write("bad.yaml",
        "apiVersion: uplinkd/v1\nkind: Router\nspec: {uplink: 1}\n");
  const auto result = Ask("apply -f bad.yaml");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:3:"));
  EXPECT_FALSE(agent_.apply_request.has_router());
}

TEST_F(AgentVerbsTest, PlacesTheAgentsViolationsInTheFile) {
  agent_.status = {grpc::StatusCode::INVALID_ARGUMENT, "the spec has 1 fault"};
  v1::Violation& violation = *agent_.bad_spec.add_violations();
  violation.set_field("spec.uplinks[1].capacity.download");
  violation.set_message("too much");
  for (const char* verb : {"apply", "diff"}) {
    const auto result = Ask(std::string(verb) + " -f office.yaml");
    EXPECT_EQ(result.exit_code, 2) << verb;
    EXPECT_EQ(result.out, "") << verb;
    EXPECT_THAT(result.err, StartsWith("office.yaml:13:")) << verb;
    EXPECT_THAT(result.err,
                EndsWith(": spec.uplinks[1].capacity.download: too much\n"))
        << verb;
  }
}

TEST_F(AgentVerbsTest, ABadSpecIsNotSent) {
  std::string spec = kGoodSpec;
  spec.replace(spec.find("10mbit"), 6, "10bit");
  Write("bad.yaml", spec);
  for (const char* verb : {"apply", "diff", "plan -o p"}) {
    const auto result = Ask(std::string(verb) + " -f bad.yaml");
    EXPECT_EQ(result.exit_code, 2) << verb;
    EXPECT_THAT(result.err, StartsWith("bad.yaml:13:")) << verb;
    EXPECT_EQ(result.err, Ctl("validate -f bad.yaml").err) << verb;
  }
  EXPECT_FALSE(agent_.apply_request.has_router());
  EXPECT_FALSE(agent_.diff_request.has_router());
}

TEST_F(AgentVerbsTest, TakesALargeAnswer) {
  for (int i = 0; i < 60000; ++i) {
    *agent_.diff.add_plan() = SomeLine();
  }
  ASSERT_GT(agent_.diff.ByteSizeLong(), 5U << 20);
  EXPECT_EQ(Ask("diff -f office.yaml >plan").exit_code, 1);
}

// "Nothing was changed" would not be true.
TEST_F(AgentVerbsTest, ALostAnswerIsNoRefusal) {
  for (const grpc::Status& lost :
       {grpc::Status(grpc::RESOURCE_EXHAUSTED,
                     "Sent message larger than max (1078826 vs. 1048576)"),
        grpc::Status(grpc::INTERNAL, "RST_STREAM"),
        grpc::Status(grpc::UNKNOWN, "Stream removed")}) {
    agent_.status = lost;
    const auto result = Ask("apply -f office.yaml");
    EXPECT_EQ(result.exit_code, 3) << lost.error_message();
    EXPECT_THAT(result.err, HasSubstr("the request may have been done"));
  }
  agent_.status = {grpc::RESOURCE_EXHAUSTED, "too many requests"};
  EXPECT_EQ(Ask("apply -f office.yaml").exit_code, 2);
}

TEST_F(AgentVerbsTest, ReportsARefusalInTheAgentsWords) {
  agent_.status = {grpc::StatusCode::ABORTED, "the generation is 7, not 2"};
  const auto result = Ask("apply -f office.yaml --expected-generation 2");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "uplinkctl: the generation is 7, not 2\n");
}

// ---- get ----

TEST_F(AgentVerbsTest, GetPrintsASpecThatIsValid) {
  v1::Router& router = *agent_.get.mutable_router();
  router.set_api_version("uplinkd/v1");
  router.set_kind("Router");
  router.mutable_metadata()->set_name("office");
  router.mutable_spec()->add_lans()->set_interface("lan0");
  for (const char* name : {"wan1", "wan2"}) {
    v1::Uplink& uplink = *router.mutable_spec()->add_uplinks();
    uplink.set_name(name);
    uplink.set_interface(name);
    uplink.mutable_capacity()->mutable_download()->set_bits_per_second(
        40000000);
  }
  for (const char* format : {"yaml", "json"}) {
    const auto result = Ask(std::string("get -o ") + format +
                            " > out && \"$UPLINKCTL\" validate -f out");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(Read("out"), HasSubstr("40mbit")) << format;
  }
  EXPECT_THAT(Read("out"), StartsWith("{"));
}

TEST_F(AgentVerbsTest, GetSaysThatThereIsNoSpecYet) {
  agent_.status = {grpc::StatusCode::NOT_FOUND, "there is no spec yet"};
  const auto result = Ask("get");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "uplinkctl: there is no spec yet\n");
}

// ---- status ----

TEST_F(AgentVerbsTest, StatusShowsConditionsAndUplinks) {
  *agent_.status_response.mutable_status() = SomeStatus();
  const auto result = Ask("status");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(
      result.out,
      "office (git:3f2c1e9): generation 3, 12 corrections, uplinkd 0.1.0\n"
      "\n"
      "CONDITION  STATUS  REASON         SINCE  MESSAGE\n"
      "Ready      False   UplinkWaiting  -      1 of 2 uplinks wait\n"
      "\n"
      "UPLINK  PHASE    INTERFACE  ADDRESS       GATEWAY       INTENDED  "
      "ACHIEVED  DOWN       UP         CONNECTIONS\n"
      "wan1    Ready    eth1       198.51.100.2  198.51.100.1  80 %      "
      "78 %      38 Mbit/s  800 bit/s  123\n"
      "wan2    Waiting             -             -             0 %       "
      "0 %       -          -          0\n"
      "  interface wan2 does not exist\n");
}

TEST_F(AgentVerbsTest, StatusSaysWhyUplinksHaveNoRates) {
  v1::Status& status = *agent_.status_response.mutable_status();
  for (const char* name : {"cable", "lte", "fibre"}) {
    v1::UplinkStatus& uplink = *status.add_uplinks();
    uplink.set_name(name);
    uplink.set_interface(status.uplinks_size() < 3 ? "wan0" : "wan1");
  }
  const std::string out = Ask("status").out;
  EXPECT_THAT(out, HasSubstr("shares wan0 with lte: no counter tells their "
                             "traffic apart\n"));
  EXPECT_THAT(out, HasSubstr("shares wan0 with cable: "));
  EXPECT_THAT(out, Not(HasSubstr("shares wan1")));
}

TEST_F(AgentVerbsTest, StatusAsJsonIsTheMessage) {
  *agent_.status_response.mutable_status() = SomeStatus();
  const auto result = Ask("status -o json");
  EXPECT_EQ(result.exit_code, 0);
  v1::Status status;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(result.out, &status).ok());
  EXPECT_EQ(status.SerializeAsString(), SomeStatus().SerializeAsString());
}

TEST_F(AgentVerbsTest, StatusAsYamlSaysTheSameAsJson) {
  *agent_.status_response.mutable_status() = SomeStatus();
  const YAML::Node yaml = YAML::Load(Ask("status -o yaml").out);
  EXPECT_EQ(yaml["name"].Scalar(), "office");
  EXPECT_EQ(yaml["conditions"][0]["status"].Scalar(), "False");
  // A word for a person, not YAML's false.
  EXPECT_EQ(yaml["conditions"][0]["status"].Tag(), "!");
  EXPECT_EQ(yaml["uplinks"][1]["reason"].Scalar(),
            "interface wan2 does not exist");
  EXPECT_TRUE(yaml["warnings"].IsSequence());
}

TEST_F(AgentVerbsTest, ColoursOnlyWhereItIsWanted) {
  *agent_.status_response.mutable_status() = SomeStatus();
  EXPECT_THAT(Ask("status").out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(Ask("status --color always").out, HasSubstr("\x1b[32m"));
  EXPECT_THAT(Ask("status --color never").out, Not(HasSubstr("\x1b")));
}

TEST_F(AgentVerbsTest, ColoursATerminalUnlessNoColorIsSet) {
  *agent_.status_response.mutable_status() = SomeStatus();
  // script(1) gives its command a terminal.
  const std::string in_terminal =
      "TERM=xterm UPLINKD_ADDRESS=unix://" + socket() +
      " script -qec \"$UPLINKCTL status\" /dev/null < /dev/null";
  EXPECT_THAT(Sh(in_terminal).out, HasSubstr("\x1b[32m"));
  EXPECT_THAT(Sh("NO_COLOR=1 " + in_terminal).out, Not(HasSubstr("\x1b[32m")));
  EXPECT_THAT(Sh("export TERM=dumb; " + in_terminal.substr(11)).out,
              Not(HasSubstr("\x1b[32m")));
}

// ---- watch ----

v1::WatchResponse SomeEvent() {
  v1::WatchResponse response;
  v1::Event& event = *response.mutable_event();
  TimeUtil::FromString("2026-11-22T23:50:01.123Z", event.mutable_time());
  event.set_trigger("event");
  event.set_result("changed");
  *event.add_plan() = SomeLine();
  return response;
}

TEST_F(AgentVerbsTest, WatchPrintsOneLinePerEvent) {
  v1::WatchResponse first;
  *first.mutable_status() = SomeStatus();
  agent_.watch = {first, SomeEvent()};
  agent_.end_watch = true;
  const auto result = Ask("watch");
  EXPECT_EQ(result.exit_code, 3);  // the agent went away
  EXPECT_EQ(result.out,
            "now: generation 3, Ready False (UplinkWaiting), wan1 Ready, wan2 "
            "Waiting\n"
            "2026-11-22T23:50:01.123Z event changed | + ip route replace "
            "default dev wan1 table 11  # the default route of wan1 is "
            "missing\n");
}

TEST_F(AgentVerbsTest, WatchAsJsonPrintsOneObjectPerLine) {
  agent_.watch = {SomeEvent(), SomeEvent()};
  agent_.end_watch = true;
  const std::string out = Ask("watch -o json").out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
  v1::WatchResponse response;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  out.substr(0, out.find('\n')), &response)
                  .ok());
  EXPECT_EQ(response.event().trigger(), "event");
}

TEST_F(AgentVerbsTest, WatchEndsWellOnCtrlC) {
  agent_.watch = {SomeEvent()};
  // The signal comes once the line is there. The watch runs in the foreground:
  // a shell makes its background jobs ignore SIGINT.
  const auto result = Sh("export UPLINKD_ADDRESS=unix://" + socket() + R"sh(
    ( for _ in $(seq 600); do
        if [ -s events ]; then break; fi
        sleep 0.05
      done
      kill -INT "$(cat pid)" ) &
    sh -c 'echo $$ >pid; exec "$UPLINKCTL" watch >events'
    status=$?
    cat events
    exit $status)sh");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("event changed"));
  EXPECT_EQ(result.err, "");
}

// ---- cleanup ----

TEST_F(AgentVerbsTest, TraceShowsTheRulesAndTheWays) {
  v1::TraceStep& step = *agent_.trace.add_steps();
  step.set_table("mangle");
  step.set_chain("UPL-NEW");
  step.set_number(3);
  step.set_rule("-i lan0 -s 192.168.10.0/24 -g UPL-FATE");
  agent_.trace.set_decided_by("at random");
  v1::TraceWay& way = *agent_.trace.add_ways();
  way.set_uplink("wan1");
  way.set_chance(0.8);
  way.set_route("default via 198.51.100.1 dev wan1 table 11");
  v1::TraceWay& other = *agent_.trace.add_ways();
  other.set_refusal("Network is unreachable (ENETUNREACH)");
  const ProgramResult result =
      Ask("trace --in lan0 --from 192.168.10.7 --to 192.0.2.80 --dport 443 "
          "--proto tcp --dscp ef --mark 0x1000");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "mangle UPL-NEW 3               -i lan0 -s 192.168.10.0/24 -g "
            "UPL-FATE\n"
            "decided at random between\n"
            "  wan1, 80 %: default via 198.51.100.1 dev wan1 table 11\n"
            "  no uplink of ours: Network is unreachable (ENETUNREACH)\n");
  EXPECT_EQ(agent_.trace_request.interface(), "lan0");
  EXPECT_EQ(agent_.trace_request.source(), "192.168.10.7");
  EXPECT_EQ(agent_.trace_request.destination(), "192.0.2.80");
  EXPECT_EQ(agent_.trace_request.destination_port(), 443U);
  EXPECT_EQ(agent_.trace_request.dscp(), "ef");
  EXPECT_EQ(agent_.trace_request.mark(), 0x1000U);
}

TEST_F(AgentVerbsTest, TraceNeedsADestination) {
  const ProgramResult result = Ask("trace --dport 443");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--to"));
}

TEST_F(AgentVerbsTest, CleanupAsksTheAgent) {
  *agent_.cleanup.add_plan() =
      Line("-", "ip rule del priority 20000", "cleanup", "done");
  const auto result = Ask("cleanup");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "- ip rule del priority 20000  # cleanup\n"
            "nothing of ours is in the kernel: 1 removed\n");
  EXPECT_FALSE(agent_.cleanup_request.dry_run());
  EXPECT_EQ(Ask("cleanup --dry-run").exit_code, 0);
  EXPECT_TRUE(agent_.cleanup_request.dry_run());
}

TEST_F(AgentVerbsTest, CleanupSaysThatSomethingIsLeft) {
  *agent_.cleanup.add_plan() = Line("-", "ip rule del priority 20000",
                                    "cleanup", "failed", "not permitted");
  const auto result = Ask("cleanup");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("still in the kernel"));
}

TEST_F(AgentVerbsTest, CleanupPointsToOfflineWhereNoAgentAnswers) {
  const auto result = Ctl("cleanup --address unix:///nonexistent");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("uplinkctl cleanup --offline"));
}

}  // namespace
}  // namespace uplinkd
