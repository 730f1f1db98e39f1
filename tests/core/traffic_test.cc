// Traffic rules: which of two holds for all that the other holds for.

#include "reconciler/traffic.h"

#include <gtest/gtest.h>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::Net;

TrafficRule Web() {
  TrafficRule rule;
  rule.match.protocol = 6;
  rule.match.source = {Net("192.168.10.0/24"), Net("192.168.11.0/24")};
  rule.match.destination_ports = {{80, 80}, {8000, 8999}};
  rule.match.interface = "lan0";
  rule.match.dscp = {8, 10};
  return rule;
}

TEST(Covers, EveryRuleCoversItself) {
  EXPECT_TRUE(Covers(Web(), Web()));
  EXPECT_TRUE(Covers(TrafficRule{}, Web()));
  EXPECT_FALSE(Covers(Web(), TrafficRule{}));
}

TEST(Covers, ANarrowerValueIsCovered) {
  TrafficRule inner = Web();
  inner.match.source = {Net("192.168.11.128/25")};
  inner.match.destination_ports = {{8100, 8200}};
  inner.match.dscp = {10};
  EXPECT_TRUE(Covers(Web(), inner));
  EXPECT_FALSE(Covers(inner, Web()));
}

TEST(Covers, OneValueOutsideIsEnough) {
  TrafficRule inner = Web();
  inner.match.destination_ports = {{80, 80}, {8990, 9000}};
  EXPECT_FALSE(Covers(Web(), inner));
  inner = Web();
  inner.match.protocol = 17;
  EXPECT_FALSE(Covers(Web(), inner));
  inner = Web();
  inner.match.interface = "";
  EXPECT_FALSE(Covers(Web(), inner));
}

TEST(Covers, ABudgetCoversNothing) {
  TrafficRule outer;
  outer.match.limit = RateLimit{10};
  EXPECT_FALSE(Covers(outer, Web()));
  TrafficRule inner = Web();
  inner.match.limit = RateLimit{10};
  EXPECT_TRUE(Covers(Web(), inner));
}

TEST(Covers, TheRoutersOwnConnectionsAreApart) {
  TrafficRule own;
  own.match.uid = {{0, 999}};
  EXPECT_FALSE(Covers(TrafficRule{}, own));
  TrafficRule root = own;
  root.match.uid = {{0, 0}};
  EXPECT_TRUE(Covers(own, root));
  EXPECT_FALSE(Covers(root, own));
}

TEST(Covers, AnExceptionMustBeTheSame) {
  TrafficRule outer = Web();
  outer.except.source = {Net("192.168.10.7/32")};
  EXPECT_FALSE(Covers(outer, Web()));
  EXPECT_TRUE(Covers(outer, outer));
  // What the inner one excepts is no matter.
  EXPECT_TRUE(Covers(Web(), outer));
}

}  // namespace
}  // namespace uplinkd
