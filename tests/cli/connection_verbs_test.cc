// drain, undrain and connections, against an agent whose answers are scripted.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <string>

#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ConnectionVerbsTest : public ScriptedAgentTest {};

TEST_F(ConnectionVerbsTest, DrainsUntilTheConnectionsEnd) {
  const auto result = Ask("drain wan2");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "wan2 gets no new connections; those that it has end by "
            "themselves\n");
  EXPECT_EQ(agent_.drain_request.uplink(), "wan2");
  EXPECT_FALSE(agent_.drain_request.has_deadline());
}

TEST_F(ConnectionVerbsTest, DrainsUntilADeadline) {
  *agent_.drain.mutable_deadline() = TimeUtil::SecondsToTimestamp(1795694700);
  const auto result = Ask("drain wan2 --deadline 5m");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "wan2 gets no new connections; what is left at "
            "2026-11-26T12:05:00Z is cut\n");
  EXPECT_EQ(agent_.drain_request.deadline().seconds(), 300);
}

TEST_F(ConnectionVerbsTest, ADeadlineOfZeroIsADeadline) {
  EXPECT_EQ(Ask("drain wan2 --deadline 0s").exit_code, 0);
  EXPECT_TRUE(agent_.drain_request.has_deadline());
  EXPECT_EQ(agent_.drain_request.deadline().seconds(), 0);
}

TEST_F(ConnectionVerbsTest, Undrains) {
  const auto result = Ask("undrain wan2");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "wan2 is not drained any more\n");
  EXPECT_EQ(agent_.undrain_request.uplink(), "wan2");
}

TEST_F(ConnectionVerbsTest, SayWhatTheAgentSays) {
  agent_.status = {grpc::StatusCode::NOT_FOUND,
                   "the spec has no uplink \"wan9\"; it has wan1, wan2"};
  for (const char* verb :
       {"drain wan9", "undrain wan9", "connections --uplink wan9"}) {
    const auto result = Ask(verb);
    EXPECT_EQ(result.exit_code, 2) << verb;
    EXPECT_EQ(result.out, "") << verb;
    EXPECT_THAT(result.err, HasSubstr("it has wan1, wan2")) << verb;
  }
}

TEST_F(ConnectionVerbsTest, AskForAnUplink) {
  for (const char* verb : {"drain", "undrain"}) {
    const auto result = Ask(verb);
    EXPECT_EQ(result.exit_code, 2) << verb;
    EXPECT_THAT(result.err, HasSubstr("UPLINK")) << verb;
  }
}

v1::ConnectionsResponse SomeConnections() {
  v1::ConnectionsResponse response;
  v1::UplinkConnections& wan1 = *response.add_uplinks();
  wan1.set_uplink("wan1");
  wan1.set_connections(123);
  wan1.set_unreplied(4);
  wan1.set_bytes(1234567);
  v1::UplinkConnections& wan2 = *response.add_uplinks();
  wan2.set_uplink("wan2");
  v1::Talker& talker = *response.add_talkers();
  talker.set_source("192.168.10.7");
  talker.set_connections(100);
  talker.set_bytes(1000000);
  return response;
}

TEST_F(ConnectionVerbsTest, ShowsConnectionsAndTalkers) {
  agent_.connections = SomeConnections();
  const auto result = Ask("connections");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "UPLINK  CONNECTIONS  UNREPLIED  BYTES\n"
            "wan1    123          4          1.2 MB\n"
            "wan2    0            0          -\n"
            "\n"
            "SOURCE        CONNECTIONS  BYTES\n"
            "192.168.10.7  100          1.0 MB\n");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(agent_.connections_request.uplink(), "");
  EXPECT_EQ(agent_.connections_request.top(), 10U);
}

TEST_F(ConnectionVerbsTest, AsksForOneUplinkAndSoManyTalkers) {
  EXPECT_EQ(Ask("connections --uplink wan2 --top 3").exit_code, 0);
  EXPECT_EQ(agent_.connections_request.uplink(), "wan2");
  EXPECT_EQ(agent_.connections_request.top(), 3U);
}

TEST_F(ConnectionVerbsTest, SaysHowBytesBecomeKnown) {
  agent_.connections = SomeConnections();
  agent_.connections.mutable_uplinks(0)->clear_bytes();
  agent_.connections.mutable_talkers(0)->clear_bytes();
  const auto result = Ask("connections");
  EXPECT_THAT(result.out, AllOf(HasSubstr("123          4          -\n"),
                                Not(HasSubstr("MB"))));
  EXPECT_THAT(result.err, HasSubstr("net.netfilter.nf_conntrack_acct=1"));
}

TEST_F(ConnectionVerbsTest, ShowsConnectionsToPrograms) {
  agent_.connections = SomeConnections();
  const auto json = Ask("connections -o json");
  v1::ConnectionsResponse read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json.out, &read).ok())
      << json.out;
  EXPECT_EQ(read.uplinks(0).connections(), 123U);
  EXPECT_EQ(read.talkers(0).source(), "192.168.10.7");
  const YAML::Node yaml = YAML::Load(Ask("connections -o yaml").out);
  EXPECT_EQ(yaml["uplinks"][0]["unreplied"].as<int>(), 4);
}

}  // namespace
}  // namespace uplinkd
