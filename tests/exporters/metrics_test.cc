#include "exporters/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace uplinkd {
namespace {

using testing::HasSubstr;
using testing::Not;

MetricsSnapshot OneUplink() {
  MetricsSnapshot s;
  s.spec_name = "office";
  s.spec_revision = "git:1";
  s.generation = 3;
  s.observed_generation = 2;
  UplinkState wan1;
  wan1.name = "wan1";
  wan1.mark = {0x1, 0xff};
  wan1.phase = UplinkPhase::kReady;
  wan1.capacity = {40'000'000, 0};
  wan1.share = 0.8;
  s.uplinks.push_back(wan1);
  s.traffic["wan1"] = {LinkTraffic{1000, 2000, 12.5, 25}, 7, 9, 0.75};
  return s;
}

TEST(Metrics, NamesEachUplinksRatesAndConnections) {
  const std::string text = RenderMetrics(OneUplink());
  EXPECT_THAT(text,
              HasSubstr("uplinkd_uplink_receive_bytes_total{uplink=\"wan1\"} "
                        "1000"));
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_transmit_bytes_per_second{uplink="
                              "\"wan1\"} 25"));
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_connections{uplink=\"wan1\","
                              "mark=\"0x1\"} 7"));
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_up{uplink=\"wan1\"} 1"));
  EXPECT_THAT(text, HasSubstr("kind=\"intended\"} 0.8"));
  EXPECT_THAT(text, HasSubstr("kind=\"achieved\"} 0.75"));
}

// The interface's would be said of each of those that are on it.
TEST(Metrics, SaysNoBytesOfAnUplinkThatSharesItsInterface) {
  MetricsSnapshot snapshot = OneUplink();
  snapshot.traffic["wan1"].link.reset();
  const std::string text = RenderMetrics(snapshot);
  for (const char* family : {"receive_bytes", "transmit_bytes"}) {
    EXPECT_THAT(text, Not(HasSubstr("uplinkd_uplink_" + std::string(family) +
                                    "_total{")));
    EXPECT_THAT(text, Not(HasSubstr("uplinkd_uplink_" + std::string(family) +
                                    "_per_second{")));
  }
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_connections{uplink=\"wan1\","
                              "mark=\"0x1\"} 7"));
}

TEST(Metrics, NamesWhatProbesFoundLast) {
  using namespace std::chrono_literals;
  MetricsSnapshot s = OneUplink();
  EXPECT_THAT(RenderMetrics(s), Not(HasSubstr("uplinkd_probe")));
  EXPECT_THAT(RenderMetrics(s), Not(HasSubstr("uplinkd_uplink_loss_ratio")));
  s.health["wan1"].loss = 1500;
  s.health["wan1"].latency = 12500us;
  s.health["wan1"].probes = {
      {"icmp 192.0.2.53", ProbeResult{true, 12ms, ""}},
      {"tcp 192.0.2.7:443", ProbeResult{false, {}, "Connection refused"}},
      {"arp gateway", std::nullopt}};
  s.uplinks[0].phase = UplinkPhase::kDown;
  const std::string text = RenderMetrics(s);
  const auto of = [](const std::string& metric, const std::string& probe) {
    return metric + "{uplink=\"wan1\",probe=\"" + probe + "\"} ";
  };
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_up{uplink=\"wan1\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("uplinkd_uplink_loss_ratio{uplink=\"wan1\"} 0.15\n"));
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_latency_seconds{uplink=\"wan1\"} "
                              "0.0125\n"));
  EXPECT_THAT(
      text, HasSubstr(of("uplinkd_probe_success", "icmp 192.0.2.53") + "1\n"));
  EXPECT_THAT(text, HasSubstr(of("uplinkd_probe_success", "tcp 192.0.2.7:443") +
                              "0\n"));
  EXPECT_THAT(
      text, HasSubstr(of("uplinkd_probe_duration_seconds", "icmp 192.0.2.53") +
                      "0.012\n"));
  // A probe that was not answered took no time, and one that was not asked yet
  // has neither failed nor succeeded.
  EXPECT_THAT(text, Not(HasSubstr(of("uplinkd_probe_duration_seconds",
                                     "tcp 192.0.2.7:443"))));
  EXPECT_THAT(text, Not(HasSubstr("arp gateway")));
}

TEST(Metrics, GivesCapacityInBytesAndLeavesUnknownOnesOut) {
  const std::string text = RenderMetrics(OneUplink());
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_capacity_bytes_per_second{"
                              "uplink=\"wan1\",direction=\"receive\"} "
                              "5000000"));
  EXPECT_THAT(text, Not(HasSubstr("direction=\"transmit\"")));
}

TEST(Metrics, CountsFailoversAndWhatWasCut) {
  MetricsSnapshot s = OneUplink();
  s.failovers["wan1"] = 2;
  s.connections_cut[{"wan1", "failover"}] = 243;
  const std::string text = RenderMetrics(s);
  EXPECT_THAT(text, HasSubstr("uplinkd_failovers_total{uplink=\"wan1\"} 2"));
  EXPECT_THAT(text, HasSubstr("uplinkd_connections_cut_total{uplink=\"wan1\","
                              "reason=\"failover\"} 243"));
}

TEST(Metrics, SaysNothingOfASpecBeforeThereIsOne) {
  const std::string text = RenderMetrics(MetricsSnapshot{});
  EXPECT_THAT(text, Not(HasSubstr("uplinkd_spec_info")));
  EXPECT_THAT(text, HasSubstr("uplinkd_spec_generation 0"));
}

TEST(Metrics, HistogramsAreCumulative) {
  MetricsSnapshot s;
  DurationHistogram& h = s.pass_durations[PassPhase::kObserve];
  h.Observe(std::chrono::microseconds(50));
  h.Observe(std::chrono::milliseconds(3));
  h.Observe(std::chrono::seconds(2));
  const std::string text = RenderMetrics(s);
  const auto bucket = [](const std::string& bound) {
    return "uplinkd_pass_duration_seconds_bucket{phase=\"observe\",le=\"" +
           bound + "\"}";
  };
  EXPECT_THAT(text, HasSubstr(bucket("0.0001") + " 1\n"));
  EXPECT_THAT(text, HasSubstr(bucket("0.005") + " 2\n"));
  EXPECT_THAT(text, HasSubstr(bucket("1") + " 2\n"));
  EXPECT_THAT(text, HasSubstr(bucket("+Inf") + " 3\n"));
}

TEST(Metrics, EscapesLabelValues) {
  MetricsSnapshot s = OneUplink();
  s.spec_revision = "a\"b\\c\nd";
  EXPECT_THAT(RenderMetrics(s), HasSubstr(R"(revision="a\"b\\c\nd")"));
}

}  // namespace
}  // namespace uplinkd
