// What the writer writes, the reader reads back.
#include "proto/spec_writer.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "proto/spec_reader.h"
#include "tests/proto/random_router.h"

namespace uplinkd {
namespace {

using google::protobuf::util::MessageDifferencer;

v1::Router Office() {
  v1::Router router;
  router.set_api_version("uplinkd/v1");
  router.set_kind("Router");
  router.mutable_metadata()->set_name("yes");
  v1::RouterSpec& spec = *router.mutable_spec();
  spec.add_lans()->set_interface("lan0");
  spec.mutable_lans(0)->add_networks("192.168.10.0/24");
  spec.mutable_lans(0)->add_networks("192.168.11.0/24");
  v1::Uplink& uplink = *spec.add_uplinks();
  uplink.set_name("wan1");
  uplink.mutable_capacity()->mutable_download()->set_bits_per_second(
      2'500'000'000);
  uplink.set_nat(v1::NAT_MASQUERADE);
  uplink.set_weight(0);
  spec.mutable_balance()->set_algorithm(v1::ALGORITHM_LEAST_LOADED);
  auto& interval = *spec.mutable_balance()->mutable_estimator();
  interval.mutable_interval()->set_nanos(250'000'000);
  spec.mutable_marks()->set_mask(0xff00);
  spec.mutable_tables();
  return router;
}

TEST(SpecWriter, WritesYamlAsAPersonWould) {
  EXPECT_EQ(WriteSpecYaml(Office()),
            "apiVersion: uplinkd/v1\n"
            "kind: Router\n"
            "metadata:\n"
            "  name: \"yes\"\n"
            "spec:\n"
            "  lans:\n"
            "    - interface: lan0\n"
            "      networks: [192.168.10.0/24, 192.168.11.0/24]\n"
            "  uplinks:\n"
            "    - name: wan1\n"
            "      capacity:\n"
            "        download: 2.5gbit\n"
            "      nat: masquerade\n"
            "      weight: 0\n"
            "  balance:\n"
            "    algorithm: least-loaded\n"
            "    estimator:\n"
            "      interval: 250ms\n"
            "  marks:\n"
            "    mask: 0xff00\n"
            "  tables: {}\n");
}

TEST(SpecWriter, WritesTiersInTheirShortForm) {
  v1::Router router;
  v1::Policy& policy = *router.mutable_spec()->add_policies();
  policy.set_name("voice");
  v1::Tier& first = *policy.add_tiers();
  first.add_members()->set_uplink("fibre");
  first.add_members()->set_uplink("cable");
  v1::PolicyMember& member = *policy.add_tiers()->add_members();
  member.set_uplink("lte");
  member.set_weight(1);
  EXPECT_EQ(WriteSpecYaml(router),
            "spec:\n"
            "  policies:\n"
            "    - name: voice\n"
            "      tiers:\n"
            "        - [fibre, cable]\n"
            "        - - uplink: lte\n"
            "            weight: 1\n");
  const auto read = ReadSpecText(
      "apiVersion: uplinkd/v1\nkind: Router\n" + WriteSpecYaml(router), "f");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->router.spec().SerializeAsString(),
            router.spec().SerializeAsString());
}

TEST(SpecWriter, WritesJsonWithTheSameUnits) {
  v1::Router router = Office();
  router.mutable_spec()->clear_lans();
  router.mutable_spec()->clear_balance();
  EXPECT_EQ(WriteSpecJson(router),
            "{\n"
            "  \"apiVersion\": \"uplinkd/v1\",\n"
            "  \"kind\": \"Router\",\n"
            "  \"metadata\": {\n"
            "    \"name\": \"yes\"\n"
            "  },\n"
            "  \"spec\": {\n"
            "    \"uplinks\": [\n"
            "      {\n"
            "        \"name\": \"wan1\",\n"
            "        \"capacity\": {\n"
            "          \"download\": \"2.5gbit\"\n"
            "        },\n"
            "        \"nat\": \"masquerade\",\n"
            "        \"weight\": 0\n"
            "      }\n"
            "    ],\n"
            "    \"marks\": {\n"
            "      \"mask\": 65280\n"
            "    },\n"
            "    \"tables\": {}\n"
            "  }\n"
            "}\n");
}

TEST(SpecWriter, WritesTheEmptyMessage) {
  EXPECT_EQ(WriteSpecYaml({}), "{}\n");
  EXPECT_EQ(WriteSpecJson({}), "{}\n");
}

// Reads `text`, expects it to mean `router`.
void ExpectMeans(const std::string& text, const v1::Router& router) {
  const auto read = ReadSpecText(text, "random");
  ASSERT_TRUE(read) << RenderFault(read.error().front()) << "\n" << text;
  std::string difference;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  ASSERT_TRUE(differencer.Compare(router, read->router)) << difference << text;
}

TEST(SpecWriterLaw, IsReadBackAsTheSameMessage) {
  testing::RandomRouter random(11);
  for (int i = 0; i < 10'000; ++i) {
    const v1::Router router = random.Next();
    ASSERT_NO_FATAL_FAILURE(ExpectMeans(WriteSpecYaml(router), router));
    ASSERT_NO_FATAL_FAILURE(ExpectMeans(WriteSpecJson(router), router));
  }
}

}  // namespace
}  // namespace uplinkd
