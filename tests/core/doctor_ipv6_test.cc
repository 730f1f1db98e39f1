// What the doctor finds about IPv6.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "reconciler/doctor.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;

// The findings with that id about a host that is like this.
std::vector<Finding> FindingsOf(const std::string& id, const HostFacts& host,
                                const Expectation& expectation) {
  std::vector<Finding> findings = Diagnose(host, expectation);
  std::erase_if(findings,
                [&id](const Finding& finding) { return finding.id != id; });
  return findings;
}

TEST(DoctorIpv6, NamesTheProgramOfAMissingTable) {
  HostFacts host;
  host.xt_tables["ip6 nat"] = Presence::kNo;
  const auto findings =
      FindingsOf("legacy-tables-missing", host, ExpectAnySpec());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].what, HasSubstr("legacy ip6tables table nat"));
  EXPECT_THAT(findings[0].mend, HasSubstr("modprobe ip6table_nat"));
}

TEST(DoctorIpv6, WantsForwardingWhereASpecCarriesIt) {
  const auto found = [](bool ipv6, bool forwarding) {
    Expectation expectation = ExpectAnySpec();
    expectation.ipv6 = ipv6;
    HostFacts host;
    host.forwarding6 = forwarding;
    return !FindingsOf("forwarding6-off", host, expectation).empty();
  };
  EXPECT_TRUE(found(true, false));
  EXPECT_FALSE(found(true, true));
  EXPECT_FALSE(found(false, false));
}

TEST(DoctorIpv6, WantsItOnWhereAnUplinkCarriesIt) {
  Spec spec = testing::TwoUplinkSpec();
  spec.uplinks[0].families = UplinkFamilies::kBoth;
  HostFacts host;
  host.links["wan1"].disable_ipv6 = true;
  host.links["wan2"].disable_ipv6 = true;  // carries IPv4 alone
  const auto findings = FindingsOf("ipv6-off", host, ExpectSpec(spec));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].what, "net.ipv6.conf.wan1.disable_ipv6 is 1");
  host.links["wan1"].disable_ipv6 = false;
  EXPECT_TRUE(FindingsOf("ipv6-off", host, ExpectSpec(spec)).empty());
}

TEST(DoctorIpv6, WantsAdvertisementsHeededWhereARouterIsToBeLearned) {
  Spec spec = testing::TwoUplinkSpec();
  spec.uplinks[0].families = UplinkFamilies::kBoth;
  const Expectation expectation = ExpectSpec(spec);
  HostFacts host;
  host.forwarding6 = true;
  host.links["wan1"].accept_ra = 1;
  const auto found = [&] {
    return FindingsOf("advertisements-ignored", host, expectation);
  };
  ASSERT_EQ(found().size(), 1u);
  EXPECT_THAT(found()[0].what, HasSubstr("wan1 has no IPv6 default route"));
  EXPECT_THAT(found()[0].mend,
              HasSubstr("sysctl -w net.ipv6.conf.wan1.accept_ra=2"));
  host.links["wan1"].accept_ra = 2;
  EXPECT_TRUE(found().empty());
  host.links["wan1"].accept_ra = 0;
  Route route;
  route.key.destination = Prefix::Default(Family::kIpv6);
  route.next_hops = {{"wan1", testing::Ip("fe80::1")}};
  host.main_routes = {route};
  EXPECT_TRUE(found().empty());
  host.main_routes.clear();
  host.forwarding6 = false;
  EXPECT_TRUE(found().empty());
}

TEST(DoctorIpv6, SpeaksOfIpv6InTheWordsOfIp) {
  HostFacts host;
  Route route;
  route.key = {.table = 11, .destination = testing::Net("2001:db8::/32")};
  route.protocol = 4;  // RTPROT_STATIC
  route.next_hops = {{"wan1", testing::Ip("fe80::1")}};
  host.foreign_routes = {route};
  PolicyRule rule;
  rule.family = Family::kIpv6;
  rule.priority = 20500;
  rule.protocol = 4;
  host.rules = {rule};
  const auto routes = FindingsOf("table-collision", host, ExpectAnySpec());
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_THAT(routes[0].mend, HasSubstr("ip -6 route del 2001:db8::/32"));
  const auto rules = FindingsOf("priority-collision", host, ExpectAnySpec());
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_THAT(rules[0].mend, HasSubstr("ip -6 rule del "));
}

}  // namespace
}  // namespace uplinkd
