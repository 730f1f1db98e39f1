#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reconciler/compile.h"
#include "tests/core/random_specs.h"

namespace uplinkd {
namespace {

using testing::RandomSpecs;

TEST(CompileLaw, IgnoresTheOrderOfNamedThings) {
  RandomSpecs random(RandomSpecs::Families::kBoth);
  for (int i = 0; i < 10'000; ++i) {
    const Spec spec = random.MakeSpec();
    const Facts facts = random.MakeFacts();
    const Desired one = Compile(spec, facts);
    const Desired other = Compile(random.Shuffled(spec), facts);
    ASSERT_EQ(one.state.routes, other.state.routes);
    ASSERT_EQ(one.state.rules, other.state.rules);
    ASSERT_EQ(one.state.tables, other.state.tables);
    ASSERT_EQ(one.filters, other.filters);
    ASSERT_EQ(one.uplinks, other.uplinks);
    ASSERT_EQ(one.warnings, other.warnings);
    ASSERT_EQ(one.table_owner, other.table_owner);
  }
}

TEST(CompileLaw, EveryUplinkAlwaysHasItsFloorAndItsMarkRule) {
  RandomSpecs random(RandomSpecs::Families::kBoth);
  for (int i = 0; i < 10'000; ++i) {
    const Spec spec = random.MakeSpec();
    const Desired desired = Compile(spec, random.MakeFacts());
    for (const Uplink& uplink : spec.uplinks) {
      for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const std::uint32_t table = TableOf(spec, uplink.id);
        RouteKey floor;
        floor.table = table;
        floor.destination = Prefix::Default(family);
        floor.metric = kFloorMetric;
        PolicyRule rule;
        rule.priority = kMarkPriority + uplink.id;
        rule.family = family;
        rule.mark = MarkOf(spec, uplink.id);
        rule.table = table;
        const bool wanted = CarriesFamily(uplink, family);
        ASSERT_EQ(desired.state.routes.contains(floor), wanted);
        ASSERT_EQ(std::binary_search(desired.state.rules.begin(),
                                     desired.state.rules.end(), rule),
                  wanted);
        if (!wanted) continue;
        ASSERT_EQ(desired.state.routes.at(floor).type, RouteType::kUnreachable);
      }
    }
  }
}

// A verdict moves new connections and nothing else: what is set up for an
// uplink does not depend on it.
TEST(CompileLaw, AVerdictChangesOnlyWhoIsChosen) {
  RandomSpecs random(RandomSpecs::Families::kBoth);
  for (int i = 0; i < 10'000; ++i) {
    const Spec spec = random.MakeSpec();
    const Facts facts = random.MakeFacts();
    Facts healthy = facts;
    healthy.health.clear();
    Desired one = Compile(spec, facts);
    Desired other = Compile(spec, healthy);
    ASSERT_EQ(one.state.rules, other.state.rules);
    for (Desired* desired : {&one, &other}) {
      std::erase_if(desired->state.routes, [&](const auto& route) {
        return route.first.table == spec.table_base;  // that of multipath
      });
      for (auto& [family, filter] : desired->filters) {
        filter.choices.clear();
        filter.departures.clear();
      }
    }
    ASSERT_EQ(one.state.routes, other.state.routes);
    ASSERT_EQ(one.filters, other.filters);
    ASSERT_EQ(one.warnings, other.warnings);
  }
}

TEST(CompileLaw, StaysInItsBandAndItsTables) {
  RandomSpecs random(RandomSpecs::Families::kBoth);
  for (int i = 0; i < 10'000; ++i) {
    const Desired desired = Compile(random.MakeSpec(), random.MakeFacts());
    for (const PolicyRule& rule : desired.state.rules) {
      ASSERT_TRUE(IsOwnedPriority(rule.priority));
      ASSERT_EQ(rule.protocol, kProtocol);
    }
    for (const auto& [key, route] : desired.state.routes) {
      ASSERT_TRUE(desired.table_owner.contains(key.table));
      ASSERT_EQ(route.key, key);
      ASSERT_EQ(route.protocol, kProtocol);
    }
    double share = 0;
    for (const UplinkState& uplink : desired.uplinks) share += uplink.share;
    ASSERT_TRUE(share == 0 || std::abs(share - 1) < 1e-9);
  }
}

}  // namespace
}  // namespace uplinkd
