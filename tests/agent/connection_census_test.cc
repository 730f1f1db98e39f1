#include "agent/connection_census.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::Ip;
using testing::TwoUplinkSpec;

Connection From(const std::string& source, std::uint32_t mark,
                std::optional<std::uint64_t> bytes = std::nullopt) {
  Connection connection;
  connection.source = Ip(source);
  connection.mark = mark;
  connection.replied = true;
  connection.bytes = bytes;
  return connection;
}

TEST(ConnectionCensus, CountsByUplinkUnderTheMask) {
  ConnectionCensus census(TwoUplinkSpec(), "");
  census.Add(From("192.168.10.2", 1));
  census.Add(From("192.168.10.2", 0x701));
  census.Add(From("192.168.10.2", 0));     // nobody's
  census.Add(From("192.168.10.2", 0xfe));  // never saved, but who knows
  Connection unreplied = From("192.168.10.2", 2);
  unreplied.replied = false;
  census.Add(unreplied);
  const v1::ConnectionsResponse response = census.ToProto(10);
  ASSERT_EQ(response.uplinks_size(), 2);
  EXPECT_EQ(response.uplinks(0).uplink(), "wan1");
  EXPECT_EQ(response.uplinks(0).connections(), 2U);
  EXPECT_EQ(response.uplinks(0).unreplied(), 0U);
  EXPECT_EQ(response.uplinks(1).connections(), 1U);
  EXPECT_EQ(response.uplinks(1).unreplied(), 1U);
  ASSERT_EQ(response.talkers_size(), 1);
  EXPECT_EQ(response.talkers(0).connections(), 3U);
}

TEST(ConnectionCensus, SaysNothingOfBytesThatAreNotKnown) {
  ConnectionCensus census(TwoUplinkSpec(), "");
  census.Add(From("192.168.10.2", 1));
  EXPECT_FALSE(census.ToProto(1).uplinks(0).has_bytes());
  EXPECT_FALSE(census.ToProto(1).talkers(0).has_bytes());
  census.Add(From("192.168.10.2", 1, 0));
  EXPECT_TRUE(census.ToProto(1).uplinks(0).has_bytes());
  census.Add(From("192.168.10.2", 1, 100));
  EXPECT_EQ(census.ToProto(1).uplinks(0).bytes(), 100U);
}

TEST(ConnectionCensus, NamesTheLargestTalkersFirst) {
  ConnectionCensus census(TwoUplinkSpec(), "");
  census.Add(From("192.168.10.2", 1));
  census.Add(From("192.168.10.3", 1, 10));
  census.Add(From("192.168.10.4", 2, 500));
  census.Add(From("192.168.10.5", 2));
  census.Add(From("192.168.10.5", 1));
  const v1::ConnectionsResponse response = census.ToProto(4);
  ASSERT_EQ(response.talkers_size(), 4);
  EXPECT_EQ(response.talkers(0).source(), "192.168.10.4");
  EXPECT_EQ(response.talkers(1).source(), "192.168.10.3");
  EXPECT_EQ(response.talkers(2).source(), "192.168.10.5");
  EXPECT_EQ(response.talkers(3).source(), "192.168.10.2");
  EXPECT_EQ(census.ToProto(1).talkers_size(), 1);
  EXPECT_EQ(census.ToProto(0).talkers_size(), 0);
}

TEST(ConnectionCensus, MayBeOfOneUplink) {
  ConnectionCensus census(TwoUplinkSpec(), "wan2");
  census.Add(From("192.168.10.2", 1));
  census.Add(From("192.168.10.3", 2));
  const v1::ConnectionsResponse response = census.ToProto(10);
  ASSERT_EQ(response.uplinks_size(), 1);
  EXPECT_EQ(response.uplinks(0).uplink(), "wan2");
  ASSERT_EQ(response.talkers_size(), 1);
  EXPECT_EQ(response.talkers(0).source(), "192.168.10.3");
}

}  // namespace
}  // namespace uplinkd
