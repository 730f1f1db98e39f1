#include "exporters/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  s.health["wan1"].round_trip = 11ms;
  s.health["wan1"].probes = {
      {"icmp 192.0.2.53", ProbeResult{true, 12ms, ""}, 500, 57, 3},
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
  EXPECT_THAT(text,
              HasSubstr("uplinkd_uplink_round_trip_seconds{uplink=\"wan1\"} "
                        "0.011\n"));
  EXPECT_THAT(
      text,
      HasSubstr(of("uplinkd_probe_loss_ratio", "icmp 192.0.2.53") + "0.05\n"));
  EXPECT_THAT(text,
              HasSubstr("uplinkd_probes_total{uplink=\"wan1\",probe=\"icmp "
                        "192.0.2.53\",result=\"unanswered\"} 3\n"));
  // A probe that was not answered took no time, and one that was not asked yet
  // has neither failed nor succeeded.
  EXPECT_THAT(text, Not(HasSubstr(of("uplinkd_probe_duration_seconds",
                                     "tcp 192.0.2.7:443"))));
  EXPECT_THAT(text, Not(HasSubstr(of("uplinkd_probe_success", "arp gateway"))));
  EXPECT_THAT(text,
              Not(HasSubstr(of("uplinkd_probe_loss_ratio", "arp gateway"))));
  EXPECT_THAT(
      text,
      Not(HasSubstr(of("uplinkd_probe_duration_seconds", "arp gateway"))));
}

// It would be 0, as that of a good line.
TEST(Metrics, KnowsNoLossBeforeTheFirstRound) {
  MetricsSnapshot s = OneUplink();
  s.health["wan1"].probes = {{"arp gateway", std::nullopt}};
  const std::string text = RenderMetrics(s);
  EXPECT_THAT(text, Not(HasSubstr("loss_ratio{")));
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_health{uplink=\"wan1\",state="
                              "\"Unknown\"} 1\n"));
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

TEST(Metrics, CountersBeginAtZero) {
  const std::string text = RenderMetrics(OneUplink());
  EXPECT_THAT(text, HasSubstr("uplinkd_failovers_total{uplink=\"wan1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("uplinkd_connections_cut_total{uplink=\"wan1\","
                              "reason=\"drain\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("uplinkd_drift_corrections_total{object=\"jump\","
                              "cause=\"missing\"} 0\n"));
}

TEST(Metrics, UtilisationIsThePartOfTheCapacity) {
  MetricsSnapshot s = OneUplink();
  s.traffic["wan1"].link->receive_bytes_per_second = 1'250'000;
  const std::string text = RenderMetrics(s);
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_utilisation_ratio{uplink="
                              "\"wan1\",direction=\"receive\"} 0.25\n"));
  EXPECT_THAT(text, Not(HasSubstr("direction=\"transmit\"")));
}

TEST(Metrics, ExactlyOnePhaseOfAnUplinkIsOne) {
  MetricsSnapshot s = OneUplink();
  s.uplinks[0].phase = UplinkPhase::kDraining;
  s.past["wan1"] = {UplinkPhase::kDraining,
                    std::chrono::system_clock::time_point(
                        std::chrono::seconds(1'700'000'000)),
                    4};
  const std::string text = RenderMetrics(s);
  for (const char* phase :
       {"Ready", "Waiting", "Blocked", "Draining", "Disabled", "Down"}) {
    const bool is = std::string(phase) == "Draining";
    EXPECT_THAT(text,
                HasSubstr("uplinkd_uplink_phase{uplink=\"wan1\",phase=\"" +
                          std::string(phase) + "\"} " + (is ? "1\n" : "0\n")));
  }
  EXPECT_THAT(text, HasSubstr("uplinkd_uplink_phase_since_timestamp_seconds{"
                              "uplink=\"wan1\"} 1700000000\n"));
  EXPECT_THAT(text, HasSubstr("uplinkd_drains_total{uplink=\"wan1\"} 4\n"));
}

TEST(Metrics, SaysWhyAConditionIsAsItIs) {
  MetricsSnapshot s;
  s.conditions["Programmed"] = {"False", "LockTimeout", {}};
  s.conditions["Ready"] = {"True", "AllReady", {}};
  const std::string text = RenderMetrics(s);
  EXPECT_THAT(text, HasSubstr("uplinkd_condition{type=\"Programmed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("uplinkd_condition{type=\"Ready\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("uplinkd_condition_info{type=\"Programmed\",status="
                        "\"False\",reason=\"LockTimeout\"} 1\n"));
}

TEST(Metrics, SaysWhenTheSnapshotWasMade) {
  MetricsSnapshot s;
  EXPECT_THAT(RenderMetrics(s), Not(HasSubstr("uplinkd_snapshot_timestamp")));
  s.taken = std::chrono::system_clock::time_point(std::chrono::seconds(1000));
  EXPECT_THAT(RenderMetrics(s),
              HasSubstr("uplinkd_snapshot_timestamp_seconds 1000\n"));
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
