// Traffic rules about ipsets: what they become, and what becomes of them while
// a set is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reconciler/assume.h"
#include "reconciler/compile.h"
#include "reconciler/render.h"
#include "tests/core/builders.h"
#include "tests/core/xt_interpreter.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Oracles;
using testing::Packet;
using testing::RuleTo;
using testing::SpecWithUplinks;
using testing::XtInterpreter;

// All new connections by default to wan1.
Spec Office() {
  Spec spec = SpecWithUplinks(3, Algorithm::kFailover);
  spec.balance.tiers = {{{"wan1", {}}}};
  return spec;
}

Facts WithSets(std::set<std::string> ipsets) {
  Facts facts = FactsWithUplinks(3);
  facts.ipsets = std::move(ipsets);
  return facts;
}

const XtTableState& Mangle(const Desired& desired) {
  return *desired.state.tables.at(XtTable::kMangle);
}

// The traffic rules, behind those for internal destinations.
std::vector<std::string> Words(const Desired& desired) {
  std::vector<std::string> words;
  for (const ChainRule& rule : Mangle(desired).chains.at("UPL-TRAFFIC")) {
    if (std::holds_alternative<ReturnTarget>(rule.target)) continue;
    words.push_back(RenderChainRule(rule));
  }
  return words;
}

TEST(Ipset, ASetIsOneMatch) {
  Spec spec = Office();
  spec.traffic = {RuleTo("voice", "wan2"), RuleTo("guests", "wan3")};
  spec.traffic[0].match.source_set = "phones";
  spec.traffic[1].except.destination_set = "servers";
  ASSERT_THAT(Validate(spec), IsEmpty());
  EXPECT_THAT(Words(Compile(spec, WithSets({"phones", "servers"}))),
              ElementsAre("-m set --match-set phones src -g UPL-ONLY-2",
                          "-m set ! --match-set servers dst -g UPL-ONLY-3",
                          "-g UPL-FATE"));
}

TEST(Ipset, BothAddressesMustBeInTheirSets) {
  Spec spec = Office();
  spec.traffic = {RuleTo("voice", "wan2")};
  spec.traffic[0].match.source_set = "phones";
  spec.traffic[0].match.destination_set = "servers";
  const Desired desired = Compile(spec, WithSets({"phones", "servers"}));
  Oracles oracles;
  oracles.ipsets["phones"] = {Ip("192.168.10.5")};
  oracles.ipsets["servers"] = {Ip("192.0.2.80")};
  const auto fate = [&](const char* source, const char* destination) {
    Packet packet;
    packet.in_interface = "lan0";
    packet.source = Ip(source);
    packet.destination = Ip(destination);
    XtInterpreter(Mangle(desired), oracles).Run(XtHook::kPrerouting, packet);
    return packet.mark;
  };
  EXPECT_EQ(fate("192.168.10.5", "192.0.2.80"), 2U);
  EXPECT_EQ(fate("192.168.10.6", "192.0.2.80"), 1U);
  EXPECT_EQ(fate("192.168.10.5", "192.0.2.81"), 1U);
}

TEST(Ipset, ARuleWaitsForItsSetsAndTheOthersDoNot) {
  Spec spec = Office();
  spec.traffic = {RuleTo("voice", "wan2"), RuleTo("guests", "wan3"),
                  RuleTo("all", "wan1")};
  spec.traffic[0].match.source_set = "phones";
  spec.traffic[0].except.destination_set = "servers";
  spec.traffic[1].except.source_set = "phones";
  // Neither matching all nor none would be what was asked for.
  Desired desired = Compile(spec, WithSets({"servers"}));
  EXPECT_THAT(Words(desired), ElementsAre("-g UPL-ONLY-1", "-g UPL-FATE"));
  EXPECT_THAT(desired.warnings,
              ElementsAre("there is no ipset phones of IPv4 addresses: "
                          "traffic rules that wait for it, and are left out "
                          "until then: voice, guests"));
  desired = Compile(spec, WithSets({"phones"}));
  EXPECT_EQ(Words(desired).size(), 3U);
  EXPECT_EQ(desired.warnings.size(), 1U);
  desired = Compile(spec, WithSets({"phones", "servers"}));
  EXPECT_THAT(desired.warnings, IsEmpty());
}

TEST(Ipset, WithoutAHostTheyAreThere) {
  Spec spec = Office();
  spec.traffic = {RuleTo("voice", "wan2")};
  spec.traffic[0].match.source_set = "phones";
  EXPECT_EQ(IpsetsOf(spec), std::set<std::string>{"phones"});
  EXPECT_THAT(Compile(spec, AssumeFacts(spec).facts).warnings, IsEmpty());
}

TEST(Ipset, OnlyTheSameSetIsCovered) {
  TrafficRule phones = RuleTo("phones", "wan1");
  phones.match.source_set = "phones";
  TrafficRule both = phones;
  both.match.destination_set = "servers";
  EXPECT_TRUE(Covers(phones, both));
  EXPECT_FALSE(Covers(both, phones));
  EXPECT_TRUE(Covers(TrafficRule{}, phones));
  both.match.source_set = "others";
  EXPECT_FALSE(Covers(phones, both));
}

}  // namespace
}  // namespace uplinkd
