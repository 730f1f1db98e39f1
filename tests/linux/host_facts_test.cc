// What the doctor reads, against real rules in namespaces of the test's own.
#include "reconciler/linux/host_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "reconciler/linux/instance.h"
#include "reconciler/ownership.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class HostFactsTest : public NetnsTest {
 protected:
  static HostFacts Read(const Expectation& expectation) {
    auto facts = ReadHostFacts(expectation);
    if (facts) return std::move(*facts);
    ADD_FAILURE() << facts.error().message;
    return {};
  }
  static HostFacts Read() { return Read(ExpectAnySpec()); }

  static std::vector<std::string> Ids() {
    std::vector<std::string> ids;
    const HostFacts facts = Read();
    for (const Finding& finding : Diagnose(facts, ExpectAnySpec())) {
      ids.push_back(finding.id);
    }
    return ids;
  }
};

MarkUse Use(const std::string& place, const std::string& text,
            std::uint32_t bits, bool writes) {
  return {place, text, bits, writes};
}

TEST_F(HostFactsTest, SeesTheWholeOfAnEmptyNamespace) {
  const HostFacts facts = Read();
  EXPECT_TRUE(facts.net_admin);
  EXPECT_TRUE(facts.net_raw);
  EXPECT_THAT(facts.links, IsEmpty());
  EXPECT_THAT(facts.mark_uses, IsEmpty());
  EXPECT_THAT(facts.nft_tables, IsEmpty());
  EXPECT_THAT(facts.foreign_routes, IsEmpty());
  EXPECT_THAT(facts.unread, IsEmpty());
  EXPECT_FALSE(facts.agent_running);
  ASSERT_EQ(facts.rules.size(), 3U);
  EXPECT_EQ(facts.rules[1].priority, 32766U);
  EXPECT_EQ(facts.rules[1].table, 254U);
}

TEST_F(HostFactsTest, FindsTheTablesAndExtensionsThatThisKernelHas) {
  const HostFacts facts = Read();
  for (const auto& [name, presence] : facts.xt_tables) {
    EXPECT_EQ(presence, Presence::kYes) << name;
  }
  for (const auto& [name, presence] : facts.matches) {
    EXPECT_EQ(presence, Presence::kYes) << name;
  }
  for (const auto& [name, presence] : facts.targets) {
    EXPECT_EQ(presence, Presence::kYes) << name;
  }
  EXPECT_EQ(facts.xt_tables.size(), 2U);
  EXPECT_EQ(facts.xt_error, "");
}

TEST_F(HostFactsTest, KnowsWhatTheKernelDoesNotHave) {
  Expectation expectation;
  expectation.xt_tables = {"uplinkd", "ip6 uplinkd", "ip6 mangle"};
  expectation.ipv6 = true;
  expectation.matches = {"uplinkd", "mark"};
  expectation.targets = {"uplinkd", "MARK"};
  const HostFacts facts = Read(expectation);
  EXPECT_EQ(facts.xt_tables.at("uplinkd"), Presence::kNo);
  EXPECT_EQ(facts.xt_tables.at("ip6 uplinkd"), Presence::kNo);
  EXPECT_EQ(facts.xt_tables.at("ip6 mangle"), Presence::kYes);
  EXPECT_EQ(uplinkd::Run("cat /proc/thread-self/net/ip6_tables_names"), "");
  EXPECT_EQ(facts.matches.at("uplinkd"), Presence::kNo);
  EXPECT_EQ(facts.matches.at("mark"), Presence::kYes);
  EXPECT_EQ(facts.targets.at("uplinkd"), Presence::kNo);
  EXPECT_EQ(facts.targets.at("MARK"), Presence::kYes);
  EXPECT_EQ(facts.xt_error, "");
}

TEST_F(HostFactsTest, RegistersNoTableByLooking) {
  Read();
  EXPECT_EQ(uplinkd::Run("cat /proc/thread-self/net/ip_tables_names"), "");
}

TEST_F(HostFactsTest, ChangesNothing) {
  uplinkd::Run("iptables-legacy -t mangle -A FORWARD -j MARK --set-mark 1");
  const std::string before =
      ShowRouting() + uplinkd::Run("iptables-legacy-save -c | grep -v '^#'");
  Read();
  EXPECT_EQ(
      ShowRouting() + uplinkd::Run("iptables-legacy-save -c | grep -v '^#'"),
      before);
}

TEST_F(HostFactsTest, DecodesEveryUseOfMarkBits) {
  uplinkd::Run(
      "iptables-legacy -t raw -A PREROUTING -j MARK --set-xmark 0x10/0x30");
  uplinkd::Run(
      "iptables-legacy -t mangle -A FORWARD -m mark --mark 0x1/0x3 -j ACCEPT");
  uplinkd::Run(
      "iptables-legacy -t mangle -A FORWARD -m mark ! --mark 0x2 "
      "-m connmark --mark 0x4/0xc -j MARK --or-mark 0x40");
  uplinkd::Run(
      "iptables-legacy -t mangle -A OUTPUT -j CONNMARK --set-xmark 0x8/0xf");
  uplinkd::Run(
      "iptables-legacy -t mangle -A OUTPUT -j CONNMARK --save-mark "
      "--nfmask 0xf0 --ctmask 0xf00");
  uplinkd::Run(
      "iptables-legacy -t mangle -A OUTPUT -j CONNMARK --restore-mark "
      "--nfmask 0xf0 --ctmask 0xf00");
  uplinkd::Run(
      "iptables-legacy -t nat -A OUTPUT -m connmark ! --mark 0x1 -j RETURN");
  EXPECT_THAT(
      Read().mark_uses,
      UnorderedElementsAre(
          Use("raw PREROUTING rule 1", "-j MARK --set-xmark 0x10/0x30", 0x30,
              true),
          Use("mangle FORWARD rule 1", "-m mark --mark 0x1/0x3", 0x3, false),
          Use("mangle FORWARD rule 2", "-m mark ! --mark 0x2/0xffffffff",
              0xffffffff, false),
          Use("mangle FORWARD rule 2", "-m connmark --mark 0x4/0xc", 0xc,
              false),
          Use("mangle FORWARD rule 2", "-j MARK --set-xmark 0x40/0x40", 0x40,
              true),
          Use("mangle OUTPUT rule 1", "-j CONNMARK --set-xmark 0x8/0xf", 0xf,
              true),
          Use("mangle OUTPUT rule 2",
              "-j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xf00", 0xf00,
              true),
          Use("mangle OUTPUT rule 3",
              "-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xf00", 0xf0,
              true),
          Use("nat OUTPUT rule 1", "-m connmark ! --mark 0x1/0xffffffff",
              0xffffffff, false)));
}

TEST_F(HostFactsTest, SeesThatHmarkWritesTheWholeMark) {
  uplinkd::Run(
      "iptables-legacy -t mangle -A PREROUTING -j HMARK --hmark-tuple src "
      "--hmark-mod 4 --hmark-offset 1 --hmark-rnd 7");
  EXPECT_THAT(Read().mark_uses, ElementsAre(Use("mangle PREROUTING rule 1",
                                                "-j HMARK", 0xffffffff, true)));
}

TEST_F(HostFactsTest, LeavesOutOurOwnRules) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-MARK-1");
  uplinkd::Run("iptables-legacy -t mangle -A UPL-MARK-1 -j MARK --set-mark 1");
  uplinkd::Run(
      "iptables-legacy -t mangle -A OUTPUT -m mark --mark 1 -j UPL-MARK-1");
  EXPECT_THAT(Read().mark_uses, IsEmpty());
}

TEST_F(HostFactsTest, SeesTheTablesOfIptablesNft) {
  uplinkd::Run("iptables-nft -t mangle -A FORWARD -j ACCEPT");
  uplinkd::Run("ip6tables-nft -t filter -A FORWARD -j ACCEPT");
  const HostFacts facts = Read();
  EXPECT_THAT(facts.nft_tables, Contains(NftTable{"ip", "mangle"}));
  EXPECT_THAT(facts.nft_tables, Contains(NftTable{"ip6", "filter"}));
  EXPECT_THAT(Ids(), Contains("other-backend"));
}

TEST_F(HostFactsTest, TakesTheLargerOfTheSettingsOfAllAndOfTheLink) {
  AddLink("wan1", "");
  AddLink("eth0.10", "");
  uplinkd::Run("echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter");
  uplinkd::Run("echo 0 > /proc/sys/net/ipv4/conf/wan1/rp_filter");
  uplinkd::Run("echo 1 > /proc/sys/net/ipv4/conf/eth0.10/rp_filter");
  EXPECT_EQ(Read().links.at("wan1"), (LinkSettings{0, false, 1}));
  EXPECT_EQ(Read().links.at("eth0.10"), (LinkSettings{1, false, 1}));
  uplinkd::Run("echo 1 > /proc/sys/net/ipv4/conf/eth0.10/src_valid_mark");
  EXPECT_EQ(Read().links.at("eth0.10"), (LinkSettings{1, true, 1}));
  uplinkd::Run("echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter");
  uplinkd::Run("echo 1 > /proc/sys/net/ipv4/conf/all/src_valid_mark");
  EXPECT_EQ(Read().links.at("wan1"), (LinkSettings{2, true, 1}));
}

TEST_F(HostFactsTest, ReadsForwarding) {
  uplinkd::Run("echo 0 > /proc/sys/net/ipv4/ip_forward");
  EXPECT_FALSE(Read().forwarding);
  uplinkd::Run("echo 1 > /proc/sys/net/ipv4/ip_forward");
  EXPECT_TRUE(Read().forwarding);
}

TEST_F(HostFactsTest, ReadsTheConnectionTable) {
  const auto conntrack = Read().conntrack;
  ASSERT_TRUE(conntrack.has_value());
  EXPECT_EQ(std::to_string(conntrack->limit) + "\n",
            uplinkd::Run("cat /proc/sys/net/netfilter/nf_conntrack_max"));
}

TEST_F(HostFactsTest, FindsForeignRoutesOfTheTablesAskedAbout) {
  AddLink("wan1", "198.51.100.2/24");
  uplinkd::Run("ip route add 10.0.0.0/8 dev wan1 table 11 proto static");
  uplinkd::Run("ip route add 10.0.0.0/8 dev wan1 table 12 proto 117");
  uplinkd::Run("ip route add 10.0.0.0/8 dev wan1 table 99 proto static");
  const HostFacts facts = Read();
  ASSERT_EQ(facts.foreign_routes.size(), 1U);
  EXPECT_EQ(facts.foreign_routes[0].key.table, 11U);
  EXPECT_THAT(Ids(), Contains("table-collision"));
}

TEST_F(HostFactsTest, FindsHostRoutesOfMainByUplinks) {
  AddLink("wan1", "198.51.100.2/24");
  AddLink("lan0", "192.168.10.1/24");
  uplinkd::Run("ip route add default via 198.51.100.1");
  uplinkd::Run("ip route add 192.0.2.7 via 198.51.100.1");
  uplinkd::Run("ip route add 10.0.0.0/8 via 198.51.100.1");
  uplinkd::Run("ip route add 192.0.2.8 via 192.168.10.9");
  Expectation expectation = ExpectAnySpec();
  expectation.uplinks = {{"wan1", "fibre"}, {"wan9", "cable"}};
  std::vector<std::string> destinations;
  for (const Route& route : Read(expectation).main_routes) {
    destinations.push_back(route.key.destination.ToString());
  }
  EXPECT_THAT(destinations, ElementsAre("0.0.0.0/0", "192.0.2.7/32"));
}

TEST_F(HostFactsTest, LooksAtIpv6WhereTheSpecIsAboutIt) {
  AddLink("wan1", "198.51.100.2/24");
  uplinkd::Run("ip address add 2001:db8:1::2/64 dev wan1 nodad");
  uplinkd::Run("ip -6 route add default via 2001:db8:1::1");
  uplinkd::Run("ip -6 route add 2001:db8:7::7 via 2001:db8:1::1");
  uplinkd::Run("ip -6 route add 2001:db8:f::/48 dev wan1 table 11");
  uplinkd::Run("ip -6 rule add priority 20500 lookup 77");
  uplinkd::Run("sysctl -qw net.ipv6.conf.wan1.accept_ra=2");
  uplinkd::Run("sysctl -qw net.ipv6.conf.wan1-far.disable_ipv6=1");
  Expectation expectation = ExpectAnySpec();
  expectation.uplinks = {{"wan1", "fibre"}};
  EXPECT_EQ(Read(expectation).rules.size(), 3U);
  expectation.ipv6 = true;
  const HostFacts facts = Read(expectation);
  EXPECT_EQ(facts.links.at("wan1").accept_ra, 2);
  EXPECT_FALSE(facts.links.at("wan1").disable_ipv6);
  EXPECT_TRUE(facts.links.at("wan1-far").disable_ipv6);
  std::vector<std::string> destinations;
  for (const Route& route : facts.main_routes) {
    destinations.push_back(route.key.destination.ToString());
  }
  EXPECT_THAT(destinations, ElementsAre("2001:db8:7::7/128", "::/0"));
  ASSERT_EQ(facts.foreign_routes.size(), 1U);
  EXPECT_EQ(facts.foreign_routes[0].key.destination.ToString(),
            "2001:db8:f::/48");
  std::vector<std::string> ids;
  for (const Finding& finding : Diagnose(facts, expectation)) {
    ids.push_back(finding.id);
  }
  EXPECT_THAT(ids, IsSupersetOf({"priority-collision", "table-collision",
                                 "bypass-route"}));
}

TEST_F(HostFactsTest, ReadsEveryRuleWithItsOwner) {
  uplinkd::Run(
      "ip rule add priority 20500 fwmark 0x1/0xff lookup 11 proto static");
  uplinkd::Run(
      "ip rule add priority 20101 fwmark 0x1/0xff lookup 11 proto 117");
  const HostFacts facts = Read();
  ASSERT_EQ(facts.rules.size(), 5U);
  EXPECT_THAT(Ids(), IsSupersetOf({"priority-collision", "mark-collision",
                                   "table-collision", "left-behind"}));
}

TEST_F(HostFactsTest, SeesAnAgentOfThisNamespaceOnly) {
  auto instance = Instance::Take();
  ASSERT_TRUE(instance) << instance.error().message;
  EXPECT_TRUE(Read().agent_running);
  const Netns elsewhere;
  const InNetns inside(elsewhere);
  EXPECT_FALSE(Read().agent_running);
}

// Gives up the thread's capabilities, for good.
void DropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  ASSERT_EQ(syscall(SYS_capset, &header, none.data()), 0);
}

TEST_F(HostFactsTest, SaysWhatItCannotSeeWithoutCapabilities) {
  AddLink("wan1", "");
  HostFacts facts;
  std::thread unprivileged([&] {
    DropCapabilities();
    facts = Read();
  });
  unprivileged.join();
  EXPECT_FALSE(facts.net_admin);
  EXPECT_FALSE(facts.net_raw);
  EXPECT_EQ(facts.matches.at("statistic"), Presence::kUnknown);
  EXPECT_EQ(facts.xt_tables.at("mangle"), Presence::kUnknown);
  EXPECT_THAT(facts.unread, Not(IsEmpty()));
  EXPECT_EQ(facts.rules.size(), 3U);
  EXPECT_TRUE(facts.links.contains("wan1"));
}

}  // namespace
}  // namespace uplinkd
