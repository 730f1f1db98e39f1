// The ip rule codec against the kernel: what goes in comes out.

#include "reconciler/linux/rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "reconciler/linux/nl_socket.h"
#include "reconciler/ownership.h"
#include "tests/core/builders.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using testing::Ip;
using testing::Net;

class RuleTest : public NetnsTest {
 protected:
  std::optional<Error> Write(RuleOperation operation, const PolicyRule& rule) {
    const NlRequest request = EncodeRule(operation, rule);
    return socket_->Write(std::span(&request, 1)).front();
  }

  std::vector<PolicyRule> Read() {
    return ReadOwnRules(*socket_, Family::kIpv4).value();
  }

  std::unique_ptr<NlSocket> socket_ = NlSocket::Open(NETLINK_ROUTE).value();
};

PolicyRule MarkRule() {
  PolicyRule rule;
  rule.priority = kMarkPriority + 1;
  rule.mark = Mark{1, 0xff};
  rule.table = 11;
  return rule;
}

PolicyRule RandomRule(std::mt19937& random) {
  const auto below = [&](std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random);
  };
  PolicyRule rule;
  rule.priority = kFirstPriority + below(1000);
  rule.table = below(2) == 0 ? 1 + below(252) : 256 + below(70000);
  if (below(2) == 0) {
    rule.source = Prefix(Address::FromIpv4(0x0a000000U + below(1U << 24)),
                         static_cast<int>(8 + below(25)));
  }
  if (below(3) == 0) rule.in_interface = "lan" + std::to_string(below(8));
  if (below(2) == 0) {
    rule.mark = Mark{below(256) << 8, 0xff00U << below(16)};
    rule.mark->value &= rule.mark->mask;
  }
  if (below(4) == 0) rule.suppress_prefix_length = below(33);
  if (below(4) == 0) {
    rule.action =
        below(2) == 0 ? RuleAction::kUnreachable : RuleAction::kBlackhole;
    rule.table = 0;
    rule.suppress_prefix_length.reset();
  }
  return rule;
}

TEST_F(RuleTest, SurvivesTheKernel) {
  std::mt19937 random(20101);
  std::vector<PolicyRule> wanted;
  while (wanted.size() < 500) {
    const PolicyRule rule = RandomRule(random);
    const std::optional<Error> error = Write(RuleOperation::kCreate, rule);
    if (std::ranges::find(wanted, rule) != wanted.end()) {
      ASSERT_TRUE(error);
      EXPECT_EQ(error->code, ErrorCode::kAlreadyExists);
      continue;
    }
    ASSERT_FALSE(error) << error->message;
    wanted.push_back(rule);
  }
  std::ranges::sort(wanted);
  EXPECT_TRUE(Read() == wanted);
  for (const PolicyRule& rule : wanted) {
    ASSERT_FALSE(Write(RuleOperation::kRemove, rule));
  }
  EXPECT_TRUE(Read().empty());
}

TEST_F(RuleTest, SeesOnlyWhatIsOurs) {
  uplinkd::Run(
      "ip rule add pref 20101 fwmark 1/0xff lookup 11 proto static;"  // stamp
      "ip rule add pref 19999 fwmark 1/0xff lookup 11 proto 117;"     // band
      "ip rule add pref 21000 fwmark 1/0xff lookup 11 proto 117");
  EXPECT_TRUE(Read().empty());
  ASSERT_FALSE(Write(RuleOperation::kCreate, MarkRule()));
  EXPECT_THAT(Read(), ::testing::ElementsAre(MarkRule()));
}

TEST_F(RuleTest, FindsOursAmongThousands) {
  uplinkd::Run(
      "for i in $(seq 3000); do echo rule add pref $i lookup main; done"
      " | ip -batch -");
  ASSERT_FALSE(Write(RuleOperation::kCreate, MarkRule()));
  EXPECT_THAT(Read(), ::testing::ElementsAre(MarkRule()));
}

// The kernel numbers the rules of a dump, and forgets that numbers shift when
// a rule goes between two pieces of the answer.
TEST_F(RuleTest, MissesNoneOfOursWhileForeignOnesComeAndGo) {
  constexpr std::uint32_t kOurs = 900;  // several pieces
  for (std::uint32_t id = 1; id <= kOurs; ++id) {
    PolicyRule rule = MarkRule();
    rule.priority = kFirstPriority + id;
    ASSERT_FALSE(Write(RuleOperation::kCreate, rule));
  }
  std::atomic<bool> stop = false;
  std::thread other([&] {
    const auto socket = NlSocket::Open(NETLINK_ROUTE).value();
    PolicyRule foreign;
    foreign.priority = 1;
    foreign.protocol = 4;
    for (std::uint32_t i = 0; !stop; ++i) {
      foreign.table = 300 + i % 7;
      const auto operation =
          i % 14 < 7 ? RuleOperation::kCreate : RuleOperation::kRemove;
      const NlRequest request = EncodeRule(operation, foreign);
      socket->Write(std::span(&request, 1));
    }
  });
  for (int i = 0; i < 300; ++i) {
    const auto rules = ReadOwnRules(*socket_, Family::kIpv4);
    if (rules) {
      EXPECT_EQ(rules->size(), kOurs);
    } else {
      EXPECT_EQ(rules.error().code, ErrorCode::kAborted);
    }
  }
  stop = true;
  other.join();
  EXPECT_EQ(Read().size(), kOurs);
}

TEST_F(RuleTest, CountsDuplicatesAndRemovesThemOneByOne) {
  ASSERT_FALSE(Write(RuleOperation::kCreate, MarkRule()));
  // ip(8) always asks for an exclusive rule, so ask the kernel directly.
  NlRequest again = EncodeRule(RuleOperation::kCreate, MarkRule());
  again.header()->nlmsg_flags &= static_cast<std::uint16_t>(~NLM_F_EXCL);
  ASSERT_FALSE(socket_->Write(std::span(&again, 1)).front());
  EXPECT_THAT(Read(), ::testing::ElementsAre(MarkRule(), MarkRule()));
  EXPECT_FALSE(Write(RuleOperation::kRemove, MarkRule()));
  EXPECT_THAT(Read(), ::testing::ElementsAre(MarkRule()));
}

TEST_F(RuleTest, NeverTakesAnEmbellishedRuleForAPlainOne) {
  for (const std::string words :
       {"fwmark 1/0xff to 192.0.2.0/24 lookup 11",
        "not fwmark 1/0xff lookup 11", "fwmark 1/0xff oif lo lookup 11",
        "fwmark 1/0xff tos 0x10 lookup 11",
        "fwmark 1/0xff ipproto tcp dport 80 lookup 11",
        "fwmark 1/0xff uidrange 0-9 lookup 11", "fwmark 1/0xff prohibit",
        "fwmark 1/0xff lookup 11 suppress_ifgroup 3",
        "fwmark 1/0xff goto 32766"}) {
    uplinkd::Run("ip rule add pref 20101 proto 117 " + words);
    const std::vector<PolicyRule> rules = Read();
    ASSERT_EQ(rules.size(), 1U) << words;
    EXPECT_NE(rules.front(), MarkRule()) << words;
    EXPECT_FALSE(rules.front().extra.empty()) << words;
    // Yet it can be removed by what was read.
    EXPECT_FALSE(Write(RuleOperation::kRemove, rules.front())) << words;
    EXPECT_TRUE(Read().empty()) << words;
  }
}

TEST_F(RuleTest, DoesNotMindALinkThatIsGone) {
  PolicyRule rule = MarkRule();
  rule.in_interface = "lan9";  // never existed: "[detached]"
  ASSERT_FALSE(Write(RuleOperation::kCreate, rule));
  EXPECT_THAT(Read(), ::testing::ElementsAre(rule));
}

TEST_F(RuleTest, NeverRemovesAForeignRule) {
  uplinkd::Run("ip rule add pref 20101 fwmark 1/0xff lookup 11 proto static");
  const std::string before = ShowRouting();
  const auto error = Write(RuleOperation::kRemove, MarkRule());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_EQ(ShowRouting(), before);
}

}  // namespace
}  // namespace uplinkd
