// What the doctor finds about IPv6.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "reconciler/doctor.h"

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

}  // namespace
}  // namespace uplinkd
