// Messages of netlink that are not as the kernel makes them: nothing is read
// that is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "reconciler/linux/connection_codec.h"
#include "reconciler/linux/link_codec.h"
#include "reconciler/linux/link_news.h"
#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/rule.h"
#include "reconciler/linux/statistics.h"

namespace uplinkd {
namespace {

using ::testing::IsEmpty;

// A message, right at the end of its memory.
class Message {
 public:
  template <typename Header>
  Message(std::uint16_t type, const Header& header) {
    nlmsghdr start{};
    start.nlmsg_type = type;
    Append(&start, sizeof start);
    Append(&header, sizeof header);
  }
  // With nothing behind the netlink header.
  explicit Message(std::uint16_t type) {
    nlmsghdr start{};
    start.nlmsg_type = type;
    Append(&start, sizeof start);
  }

  Message& Add(std::uint16_t type, const std::string& payload) {
    nlattr attribute{};
    attribute.nla_type = type;
    attribute.nla_len =
        static_cast<std::uint16_t>(sizeof attribute + payload.size());
    Append(&attribute, sizeof attribute);
    Append(payload.data(), payload.size());
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    return *this;
  }
  Message& SetFlags(std::uint16_t flags) {
    get()->nlmsg_flags = flags;
    return *this;
  }

  nlmsghdr* get() {
    bytes_.shrink_to_fit();
    auto* message = reinterpret_cast<nlmsghdr*>(bytes_.data());
    message->nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
    return message;
  }

 private:
  void Append(const void* data, std::size_t size) {
    const auto* from = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }

  std::vector<std::byte> bytes_;
};

template <typename Header>
Header HeaderOf(std::uint8_t family) {
  Header header{};
  std::memcpy(&header, &family, sizeof family);  // the first field of each
  return header;
}

// What follows looks like a number of the attribute before.
TEST(DamagedNetlink, ANumberThatIsTooShortIsNotReadOnInto) {
  const std::string junk(4, '\x7f');
  Message rule(RTM_NEWRULE, HeaderOf<fib_rule_hdr>(AF_INET));
  for (const std::uint16_t type :
       {FRA_PRIORITY, FRA_TABLE, FRA_PROTOCOL, FRA_FWMARK, FRA_FWMASK}) {
    rule.Add(type, "").Add(FRA_PAD, junk);
  }
  const PolicyRule decoded = DecodeRule(rule.get());
  EXPECT_EQ(decoded.priority, 0U);
  EXPECT_EQ(decoded.table, 0U);
  EXPECT_EQ(decoded.protocol, 0U);
  EXPECT_EQ(decoded.mark, (Mark{0, 0}));

  const auto socket = NlSocket::Open(NETLINK_ROUTE).value();
  LinkNames names(*socket);
  Message route(RTM_NEWROUTE, HeaderOf<rtmsg>(AF_INET));
  for (const std::uint16_t type : {RTA_TABLE, RTA_PRIORITY, RTA_OIF}) {
    route.Add(type, "").Add(RTA_CACHEINFO, junk);
  }
  const auto found = DecodeRoute(route.get(), names);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key.table, 0U);
  EXPECT_EQ(found->key.metric, 0U);
  EXPECT_THAT(found->next_hops, IsEmpty());
}

TEST(DamagedNetlink, ANameWithoutAnEndEndsWithItsAttribute) {
  Message rule(RTM_NEWRULE, HeaderOf<fib_rule_hdr>(AF_INET));
  rule.Add(FRA_IIFNAME, "lan0").Add(FRA_PAD, "junk");
  EXPECT_EQ(DecodeRule(rule.get()).in_interface, "lan0");

  LinkNews news;
  const auto link = [](const std::string& name, const std::string& behind) {
    Message message(RTM_NEWLINK, HeaderOf<ifinfomsg>(AF_UNSPEC));
    message.Add(IFLA_IFNAME, name).Add(IFLA_ALT_IFNAME, behind);
    return message;
  };
  EXPECT_TRUE(news.Matters(link("wan1", "one").get()));
  EXPECT_FALSE(news.Matters(link("wan1", "two").get()));
}

TEST(DamagedNetlink, AMessageWithoutItsHeaderSaysNothing) {
  EXPECT_EQ(DecodeLink(Message(RTM_NEWLINK).get()), Link());
  EXPECT_FALSE(DecodeAddressOfLink(Message(RTM_NEWADDR).get()));
  EXPECT_FALSE(DecodeLinkCounters(Message(RTM_NEWSTATS).get()));
}

TEST(DamagedNetlink, AConnectionWithAnEmptyProtocolHasNone) {
  // Nested: an empty number of the protocol, then something else.
  const auto nest = [](std::uint16_t type, const std::string& payload) {
    nlattr attribute{};
    attribute.nla_type = type;
    attribute.nla_len =
        static_cast<std::uint16_t>(sizeof attribute + payload.size());
    std::string bytes(reinterpret_cast<const char*>(&attribute),
                      sizeof attribute);
    return bytes + payload;
  };
  const std::string protocol = nest(CTA_PROTO_NUM, "") + nest(99, "\x06\x06");
  Message message(NFNL_SUBSYS_CTNETLINK << 8, HeaderOf<nfgenmsg>(AF_INET));
  message.Add(CTA_TUPLE_ORIG, nest(CTA_TUPLE_PROTO, protocol));
  const auto connection = DecodeConnection(message.get());
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->protocol, 0);
}

// A refusal repeats the request, with the length that it says it has.
TEST(DamagedNetlink, ARefusalOfARequestWithAnyLengthIsARefusal) {
  for (const std::uint32_t length : {0U, 15U, 16U, 1000U, 0x7fffffffU,
                                     0x80000000U, 0xfffffff0U, 0xffffffffU}) {
    nlmsgerr refusal{};
    refusal.error = -EPERM;
    refusal.msg.nlmsg_len = length;
    Message message(NLMSG_ERROR, refusal);
    message.Add(NLMSGERR_ATTR_MSG, "words").SetFlags(NLM_F_ACK_TLVS);
    const auto error = DecodeAnswer(message.get());
    ASSERT_TRUE(error);
    EXPECT_EQ(error->system_errno, EPERM) << length;
  }
}

TEST(DamagedNetlink, ARefusalWithoutAnErrorOfTheSystemIsARefusal) {
  nlmsgerr refusal{};
  refusal.error = INT_MIN;
  EXPECT_TRUE(DecodeAnswer(Message(NLMSG_ERROR, refusal).get()));
  EXPECT_TRUE(DecodeDone(Message(NLMSG_DONE, refusal.error).get()));
}

}  // namespace
}  // namespace uplinkd
