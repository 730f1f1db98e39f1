#include "exporters/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <string>
#include <thread>
#include <vector>

namespace uplinkd {
namespace {

using ::testing::HasSubstr;

SnapshotPointer Generation(std::uint64_t generation) {
  auto snapshot = std::make_shared<MetricsSnapshot>();
  snapshot->generation = generation;
  return snapshot;
}

MetricsServer::Sources Serving(std::function<SnapshotPointer()> metrics) {
  return {.metrics = std::move(metrics), .live_state = [] { return "{}"; }};
}

MetricsServer::Sources Serving(std::uint64_t generation) {
  return Serving([generation] { return Generation(generation); });
}

TEST(Http, ServesTheLatestSnapshot) {
  std::atomic<std::uint64_t> generation{1};
  const auto server = MetricsServer::Start(
      "127.0.0.1:0", Serving([&] { return Generation(generation); }));
  ASSERT_TRUE(server.has_value()) << server.error().message;
  httplib::Client client("127.0.0.1", (*server)->port());
  auto answer = client.Get("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_THAT(answer->get_header_value("Content-Type"),
              HasSubstr("version=0.0.4"));
  EXPECT_THAT(answer->body, HasSubstr("uplinkd_spec_generation 1"));
  generation = 2;
  answer = client.Get("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->body, HasSubstr("uplinkd_spec_generation 2"));
}

TEST(Http, SaysSoBeforeTheFirstSnapshot) {
  const auto server = MetricsServer::Start(
      "127.0.0.1:0", Serving([] { return SnapshotPointer(); }));
  ASSERT_TRUE(server.has_value()) << server.error().message;
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto answer = client.Get("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
}

TEST(Http, RefusesAnAddressInUse) {
  const auto source = Serving(1);
  const auto first = MetricsServer::Start("127.0.0.1:0", source);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  const auto second = MetricsServer::Start(
      "127.0.0.1:" + std::to_string((*first)->port()), source);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message,
              HasSubstr("another program listens there"));
}

TEST(Http, RefusesAnAddressOfAnotherHost) {
  const auto server = MetricsServer::Start("192.0.2.1:9871", Serving(1));
  ASSERT_FALSE(server.has_value());
  EXPECT_THAT(server.error().message,
              HasSubstr("this host does not have the address"));
}

// The client of a connection that is closed after one answer connects anew.
TEST(Http, HoldsNoConnectionAfterItsAnswer) {
  const auto server = MetricsServer::Start("127.0.0.1:0", Serving(1));
  ASSERT_TRUE(server.has_value()) << server.error().message;
  httplib::Client client("127.0.0.1", (*server)->port());
  client.set_keep_alive(true);
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.Get("/metrics");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->get_header_value("Connection"), "close");
  }
}

TEST(Http, RefusesWhatIsNoAddress) {
  for (const char* listen :
       {"", "9871", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000",
        "::1:9871", "nohost.invalid:9871"}) {
    const auto server = MetricsServer::Start(listen, Serving(1));
    ASSERT_FALSE(server.has_value()) << listen;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument) << listen;
    EXPECT_THAT(server.error().message, HasSubstr("expected ADDRESS:PORT"));
  }
}

TEST(Http, AnswersManyScrapersAtOnce) {
  const auto server = MetricsServer::Start("127.0.0.1:0", Serving(1));
  ASSERT_TRUE(server.has_value()) << server.error().message;
  std::atomic<int> answered{0};
  std::vector<std::thread> scrapers;
  scrapers.reserve(20);
  for (int i = 0; i < 20; ++i) {
    scrapers.emplace_back([&] {
      httplib::Client client("127.0.0.1", (*server)->port());
      const auto answer = client.Get("/metrics");
      if (answer && answer->status == 200) ++answered;
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
  EXPECT_EQ(answered, 20);
}

}  // namespace
}  // namespace uplinkd
