#include "agent/confirm_round.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/agent/fake_probes.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::FakeProbes;
using ::testing::SizeIs;

const Probe kTcp = TcpProbe{testing::Ip("203.0.113.9"), 443};

ProbePath Path(const std::string& link, bool has_gateway = true) {
  ProbePath path;
  path.link = link;
  path.source = testing::Ip("198.51.100.2");
  if (has_gateway) path.gateway = testing::Ip("198.51.100.1");
  return path;
}

class ConfirmRoundTest : public ::testing::Test {
 protected:
  std::optional<std::string> Ask(const std::vector<Probe>& checks,
                                 const std::vector<ProbePath>& paths) {
    std::optional<std::string> fault;
    round_.Begin(checks, paths,
                 [&](const std::string& found) { fault = found; });
    context_.restart();
    context_.run();
    EXPECT_FALSE(round_.under_way());
    return fault;
  }
  FakeProbes probes_;
  asio::io_context context_;
  ConfirmRound round_{context_, probes_.Starter()};
};

TEST_F(ConfirmRoundTest, IsGoodWhenAllAnswerAndAgainAfterThat) {
  EXPECT_EQ(Ask({ArpProbe{}, kTcp}, {Path("wan1"), Path("wan2")}), "");
  EXPECT_THAT(probes_.Orders(), SizeIs(4));
  EXPECT_EQ(Ask({kTcp}, {Path("wan1")}), "");
}

TEST_F(ConfirmRoundTest, EveryGatewayMustAnswerButOneWayToATargetWillDo) {
  probes_.Set("wan2", FakeProbes::Line::kRefuses);
  EXPECT_EQ(Ask({ArpProbe{}}, {Path("wan1"), Path("wan2")}), "arp gateway: no");
  EXPECT_EQ(Ask({kTcp}, {Path("wan1"), Path("wan2")}), "");
  probes_.Set("wan1", FakeProbes::Line::kRefuses);
  EXPECT_EQ(Ask({kTcp}, {Path("wan1"), Path("wan2")}),
            "tcp 203.0.113.9:443: no");
}

TEST_F(ConfirmRoundTest, NobodyIsAskedForAGatewayThatHeLacks) {
  EXPECT_EQ(Ask({ArpProbe{}}, {Path("wan1"), Path("ppp0", false)}), "");
  EXPECT_THAT(probes_.Orders(), SizeIs(1));
}

TEST_F(ConfirmRoundTest, WithoutAnyoneToAskItIsNotGood) {
  EXPECT_EQ(Ask({kTcp}, {}), "tcp 203.0.113.9:443: no ready uplink can ask");
}

TEST_F(ConfirmRoundTest, CallsNobodyBackOnceItIsDropped) {
  bool called = false;
  round_.Begin({kTcp}, {Path("wan1")}, [&](const auto&) { called = true; });
  round_.Drop();
  round_.Begin({kTcp}, {}, [&](const auto&) { called = true; });
  round_.Drop();
  context_.run();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace uplinkd
