// The HTTP listener in bad company: clients that ask for much, that are slow,
// or that speak for somebody else.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "exporters/http.h"
#include "exporters/open_sockets.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/exporters/full_snapshot.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A socket of a client's.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    static_cast<void>(connect(fd_.get(),
                              reinterpret_cast<const sockaddr*>(&address),
                              sizeof(address)));
  }

  // False if there is no connection, or the server has ended it.
  bool Send(std::string_view text) {
    return send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }

  // Some bytes within `wait`; "" if the connection has ended, nothing if it
  // goes on.
  std::optional<std::string> Receive(milliseconds wait) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(wait.count())) == 0) {
      return std::nullopt;
    }
    std::string part(4096, '\0');
    const ssize_t got = recv(fd_.get(), part.data(), part.size(), 0);
    part.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return part;
  }

  // All until the server ends the connection.
  std::string ReceiveAll() {
    std::string all;
    while (const auto part = Receive(seconds(10))) {
      if (part->empty()) break;
      all += *part;
    }
    return all;
  }

 private:
  UniqueFd fd_;
};

// Clients that begin a request and go on with it by a line every 50 ms, each
// anew when it is sent away.
class DrippingClients {
 public:
  DrippingClients(int port, std::size_t count)
      : port_(port), clients_(count), thread_([this] { Run(); }) {
    while (rounds_ < 2) std::this_thread::sleep_for(milliseconds(1));
  }
  DrippingClients(const DrippingClients&) = delete;
  DrippingClients& operator=(const DrippingClients&) = delete;
  ~DrippingClients() {
    stop_ = true;
    thread_.join();
  }

 private:
  void Run() {
    for (; !stop_; ++rounds_) {
      for (auto& client : clients_) {
        if (client != nullptr && client->Send("a: b\r\n")) continue;
        client = std::make_unique<RawClient>(port_);
        client->Send("GET /metrics HTTP/1.1\r\n");
      }
      std::this_thread::sleep_for(milliseconds(50));
    }
  }

  const int port_;
  std::vector<std::unique_ptr<RawClient>> clients_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> rounds_ = 0;
  std::thread thread_;  // last: it uses the others
};

class HttpClients : public ::testing::Test {
 protected:
  void SetUp() override { Start("127.0.0.1:0"); }

  void Start(const std::string& listen) {
    const auto snapshot =
        std::make_shared<const MetricsSnapshot>(testing::FullSnapshot());
    auto server = MetricsServer::Start(
        listen, {.metrics = [snapshot] { return snapshot; },
                 .live_state = [this] { return state_; }});
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }

  int port() const { return server_->port(); }

  // Status of the answer; 0 if there is none.
  int Get(const std::string& path, const httplib::Headers& headers = {},
          const char* address = "127.0.0.1") {
    httplib::Client client(address, port());
    const auto answer = client.Get(path, headers);
    return answer ? answer->status : 0;
  }

  std::string state_ = "{}";
  std::unique_ptr<MetricsServer> server_;
};

milliseconds Since(steady_clock::time_point began) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
}

TEST_F(HttpClients, WhoAsksForRangesGetsTheWholeOnce) {
  httplib::Client client("127.0.0.1", port());
  const auto whole = client.Get("/metrics");
  ASSERT_TRUE(whole);
  std::string many = "bytes=0-";
  for (int i = 0; i < 2000; ++i) many += ",0-";
  for (const std::string& range :
       {std::string("bytes=0-"), std::string("bytes=1-2"), many,
        std::string("bytes=9-1"), "bytes=" + std::string(8000, '1') + "-"}) {
    for (const char* name : {"Range", "range", "RANGE"}) {
      const auto answer = client.Get("/metrics", {{name, range}});
      ASSERT_TRUE(answer) << range;
      EXPECT_EQ(answer->status, 200) << range;
      EXPECT_EQ(answer->body.size(), whole->body.size()) << range;
      EXPECT_EQ(answer->get_header_value("Content-Type"),
                whole->get_header_value("Content-Type"));
      EXPECT_FALSE(answer->has_header("Content-Range"));
    }
  }
}

TEST_F(HttpClients, NobodyGetsAnEncodingThatTakesLong) {
  httplib::Client client("127.0.0.1", port());
  client.set_decompress(false);
  const auto encoding = [&](const char* accepted) {
    const auto answer = client.Get("/metrics", {{"Accept-Encoding", accepted}});
    return answer ? answer->get_header_value("Content-Encoding") : "none";
  };
  EXPECT_EQ(encoding("br"), "");
  EXPECT_EQ(encoding("gzip, deflate, br"), "gzip");
}

TEST_F(HttpClients, ALongRequestIsRefused) {
  RawClient path(port());
  EXPECT_TRUE(path.Send("GET /page/" + std::string(4000, 'a') +
                        " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_THAT(path.ReceiveAll(), StartsWith("HTTP/1.1 414 "));

  RawClient fields(port());
  std::string many = "GET /metrics HTTP/1.1\r\n";
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  EXPECT_TRUE(fields.Send(many + "\r\n"));
  EXPECT_THAT(fields.ReceiveAll(), StartsWith("HTTP/1.1 431 "));

  // One that does not end is not waited for.
  RawClient endless(port());
  const auto began = steady_clock::now();
  endless.Send("GET /metrics HTTP/1.1\r\na: " + std::string(100'000, 'b'));
  endless.ReceiveAll();
  EXPECT_LT(Since(began), milliseconds(1500));
  EXPECT_EQ(Get("/metrics"), 200);
}

TEST_F(HttpClients, ARequestMayComeInPieces) {
  RawClient client(port());
  for (const char* part :
       {"GET /met", "rics HTTP/1.1\r", "\nHost: a\r\n", "\r", "\n"}) {
    EXPECT_TRUE(client.Send(part));
    std::this_thread::sleep_for(milliseconds(30));
  }
  EXPECT_THAT(client.ReceiveAll(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpClients, ARequestHasTwoSecondsToCome) {
  RawClient client(port());
  const auto began = steady_clock::now();
  EXPECT_TRUE(client.Send("GET /metrics HTTP/1.1\r\n"));
  std::optional<std::string> answer;
  while (!answer && Since(began) < seconds(5)) {
    client.Send("a: b\r\n");
    answer = client.Receive(milliseconds(100));
  }
  EXPECT_GT(Since(began), milliseconds(1900));
  EXPECT_LT(Since(began), milliseconds(4000));
}

TEST_F(HttpClients, AScrapeIsAnsweredBesideManyThatDrip) {
  const DrippingClients clients(port(), 200);
  for (int i = 0; i < 3; ++i) {
    const auto began = steady_clock::now();
    EXPECT_EQ(Get("/metrics"), 200);
    EXPECT_LT(Since(began), seconds(5));
  }
}

// Whoever takes some all the time, too little, would else be served for 10 s.
TEST_F(HttpClients, AnAnswerHasFiveSecondsToBeTaken) {
  state_.assign(32'000'000, ' ');
  RawClient client(port());
  EXPECT_TRUE(client.Send("GET /state.json HTTP/1.1\r\n\r\n"));
  const auto began = steady_clock::now();
  std::size_t taken = 0;
  for (;;) {
    const auto part = client.Receive(seconds(10));
    ASSERT_TRUE(part);
    if (part->empty()) break;
    taken += part->size();
    // 3.2 MB a second.
    std::this_thread::sleep_until(began + milliseconds(taken / 3200));
  }
  EXPECT_GT(taken, 0U);
  EXPECT_LT(taken, state_.size());
}

TEST_F(HttpClients, TheEndWaitsForNone) {
  for (const std::size_t count : {1U, 100U}) {
    const DrippingClients clients(port(), count);
    const auto began = steady_clock::now();
    server_.reset();
    EXPECT_LT(Since(began), milliseconds(1000)) << count;
    ASSERT_NO_FATAL_FAILURE(Start("127.0.0.1:0"));
  }
}

TEST_F(HttpClients, TheLoopbackAddressIsNotCalledByAName) {
  for (const char* name : {"foreign.example", "foreign.example:9871",
                           "localhost.foreign.example", "router"}) {
    const httplib::Headers host = {{"Host", name}};
    for (const char* path : {"/", "/page/app.js", "/state.json", "/none"}) {
      EXPECT_EQ(Get(path, host), 421) << name << path;
    }
    EXPECT_EQ(Get("/metrics", host), 200) << name;
    EXPECT_EQ(Get("/state.json", {{"Host", "localhost"}, {"Host", name}}), 421);
  }
  for (const char* name : {"localhost", "localhost:1", "127.0.0.1:9871",
                           "[::1]:9871", "192.0.2.1"}) {
    EXPECT_EQ(Get("/state.json", {{"Host", name}}), 200) << name;
  }
  RawClient nameless(port());
  EXPECT_TRUE(nameless.Send("GET /state.json HTTP/1.0\r\n\r\n"));
  EXPECT_THAT(nameless.ReceiveAll(), HasSubstr(" 200 "));
}

TEST_F(HttpClients, OtherAddressesMayBeCalledByAnyName) {
  for (const char* listen : {":0", "*:0", "0.0.0.0:0"}) {
    ASSERT_NO_FATAL_FAILURE(Start(listen));
    EXPECT_EQ(Get("/state.json", {{"Host", "router.example:9871"}}), 200);
  }
}

TEST_F(HttpClients, NoAddressIsEveryAddress) {
  const bool ipv6 =
      MetricsServer::Start("[::1]:0", {.metrics = [] { return nullptr; },
                                       .live_state = [] { return ""; }})
          .has_value();
  for (const char* listen : {":0", "*:0"}) {
    ASSERT_NO_FATAL_FAILURE(Start(listen));
    EXPECT_EQ(Get("/metrics"), 200) << listen;
    EXPECT_EQ(Get("/metrics", {}, "127.0.0.2"), 200) << listen;
    if (ipv6) EXPECT_EQ(Get("/metrics", {}, "::1"), 200) << listen;
  }
}

// Two ends of a connection, of which the listener has the first.
struct Ends {
  Ends() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ours = fds[0];
    theirs = UniqueFd(fds[1]);
  }

  bool ended() const {
    char byte = 0;
    return recv(theirs.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  int ours = -1;
  UniqueFd theirs;
};

TEST(OpenSockets, EndsThoseThatAreSlow) {
  OpenSockets sockets;
  const Ends asks, is_answered;
  OpenSockets::Entry asking(sockets, asks.ours);
  OpenSockets::Entry answered(sockets, is_answered.ours);
  const auto before = steady_clock::now();
  answered.Answering();
  const auto after = steady_clock::now();
  sockets.EndSlow(before);
  EXPECT_FALSE(asks.ended());
  sockets.EndSlow(before + milliseconds(150));
  EXPECT_TRUE(asks.ended());
  EXPECT_FALSE(is_answered.ended());
  sockets.EndSlow(before + milliseconds(1000));
  EXPECT_FALSE(is_answered.ended());
  sockets.EndSlow(after + milliseconds(1001));
  EXPECT_TRUE(is_answered.ended());
}

TEST(OpenSockets, EndsLaterOnesToo) {
  OpenSockets sockets;
  const Ends first, later;
  OpenSockets::Entry one(sockets, first.ours);
  sockets.EndAll();
  EXPECT_TRUE(first.ended());
  OpenSockets::Entry two(sockets, later.ours);
  EXPECT_TRUE(later.ended());
}

}  // namespace
}  // namespace uplinkd
