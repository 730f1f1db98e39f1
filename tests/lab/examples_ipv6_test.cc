// The specs in examples/ that are about IPv6, with the traffic that each is
// meant for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/lab/ipv6_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::Gt;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using Ipv6Example = Ipv6Lab;

TEST_F(Ipv6Example, PrefixTranslation) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(ApplyExample("ipv6-prefix-translation"));
  ASSERT_NO_FATAL_FAILURE(WaitUntilLinesAreUp());
  // A client keeps the end of its address, and gets the prefix of its line.
  EXPECT_THAT(Sources(kServer6, 40),
              UnorderedElementsAre(Pair("2001:db8:a1::2", Gt(5)),
                                   Pair("2001:db8:a2::2", Gt(5))))
      << agent_->Log();
  EXPECT_THAT(Sources(kServerAddress, 40),
              UnorderedElementsAre(Pair(UplinkAddress(1), Gt(5)),
                                   Pair(UplinkAddress(2), Gt(5))));
  // The second line loses IPv6 behind its provider.
  Do(lab_->provider(2), "ip6tables-legacy -I FORWARD -i cust0 -j DROP");
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("cable", "Down"));
  EXPECT_THAT(Sources(kServer6, 20),
              UnorderedElementsAre(Pair("2001:db8:a1::2", 20)));
}

}  // namespace
}  // namespace uplinkd::lab
