// Traffic rules about ipsets that the ipset program makes and fills.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class IpsetLab : public AgentLab {
 protected:
  void BeginWithRules(const std::string& rules) {
    ASSERT_NO_FATAL_FAILURE(
        Begin({.client_addresses = 3},
              {.algorithm = "failover",
               .more = "    tiers: [[wan1]]\n  traffic:\n" + rules}));
  }

  // Of a new connection of the client's n-th address.
  std::string UplinkOf(int client) const {
    return SourceOf({.source = ClientAddress(client)});
  }

  void Ipset(const std::string& words) {
    const CommandResult result = OnRouter("ipset " + words);
    ASSERT_TRUE(result.Ok()) << result.output;
  }

  bool WarnsOf(const std::string& words) {
    const Result<v1::Status> status = agent_->Status();
    EXPECT_TRUE(status);
    for (const std::string& warning : status->warnings()) {
      if (warning.find(words) != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(IpsetLab, ARuleFollowsWhatIsInItsSet) {
  ASSERT_NO_FATAL_FAILURE(BuildLab({.client_addresses = 3}));
  ASSERT_NO_FATAL_FAILURE(Ipset("create phones hash:ip"));
  ASSERT_NO_FATAL_FAILURE(Ipset("create servers hash:net"));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply(
      {.algorithm = "failover",
       .more = "    tiers: [[wan1]]\n"
               "  traffic:\n"
               "    - name: voice\n"
               "      match: {sourceSet: phones, destinationSet: servers, "
               "not: {source: [192.168.10.4/32]}}\n"
               "      use: wan2\n"}));
  EXPECT_EQ(UplinkOf(1), UplinkAddress(1));
  ASSERT_NO_FATAL_FAILURE(Ipset("add phones " + ClientAddress(1)));
  ASSERT_NO_FATAL_FAILURE(Ipset("add phones " + ClientAddress(2)));
  EXPECT_EQ(UplinkOf(1), UplinkAddress(1));
  ASSERT_NO_FATAL_FAILURE(Ipset("add servers 203.0.113.0/24"));
  EXPECT_EQ(UplinkOf(0), UplinkAddress(1));
  EXPECT_EQ(UplinkOf(1), UplinkAddress(2));
  EXPECT_EQ(UplinkOf(2), UplinkAddress(1));  // 192.168.10.4
  ASSERT_NO_FATAL_FAILURE(Ipset("del phones " + ClientAddress(1)));
  EXPECT_EQ(UplinkOf(1), UplinkAddress(1));
  EXPECT_EQ(lab_->WrongSources(), 0U);
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->corrections(), 0U);
}

TEST_F(IpsetLab, AnExceptedSetIsLeftToTheOtherRules) {
  ASSERT_NO_FATAL_FAILURE(BuildLab({.client_addresses = 3}));
  ASSERT_NO_FATAL_FAILURE(Ipset("create trusted hash:ip"));
  ASSERT_NO_FATAL_FAILURE(Ipset("add trusted " + ClientAddress(1)));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(
      Apply({.algorithm = "failover",
             .more = "    tiers: [[wan1]]\n"
                     "  traffic:\n"
                     "    - {name: guests, match: {not: {sourceSet: trusted}}, "
                     "use: wan2}\n"}));
  EXPECT_EQ(UplinkOf(0), UplinkAddress(2));
  EXPECT_EQ(UplinkOf(1), UplinkAddress(1));
}

// The agent looks by itself; a full pass is due every 30 s at the latest.
TEST_F(IpsetLab, ARuleWaitsForItsSetAndJoinsWhenItIsThere) {
  ASSERT_NO_FATAL_FAILURE(BeginWithRules(
      "    - {name: voice, match: {sourceSet: phones}, use: wan2}\n"
      "    - {name: rest, match: {source: [192.168.10.4/32]}, use: wan2}\n"));
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
  EXPECT_TRUE(WarnsOf(
      "there is no ipset phones of IPv4 addresses: traffic rules that wait for "
      "it, and are left out until then: voice"));
  EXPECT_EQ(UplinkOf(1), UplinkAddress(1));
  EXPECT_EQ(UplinkOf(2), UplinkAddress(2));
  ASSERT_NO_FATAL_FAILURE(Ipset("create phones hash:ip"));
  ASSERT_NO_FATAL_FAILURE(Ipset("add phones " + ClientAddress(1)));
  EXPECT_TRUE(Eventually([this] { return UplinkOf(1) == UplinkAddress(2); },
                         seconds(45)));
  EXPECT_EQ(UplinkOf(0), UplinkAddress(1));
  EXPECT_TRUE(Eventually([this] { return !WarnsOf("phones"); }, seconds(10)));
  // Ours no longer, it can be destroyed.
  ASSERT_NO_FATAL_FAILURE(Apply({.algorithm = "weighted-random"}));
  ASSERT_NO_FATAL_FAILURE(Ipset("destroy phones"));
  EXPECT_THAT(OnRouter("ipset list -n").output,
              ::testing::Not(HasSubstr("phones")));
}

}  // namespace
}  // namespace uplinkd::lab
