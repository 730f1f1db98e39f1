// The HTTP probe over TLS: a portal that answers in the host's place has no
// certificate of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/agent/probe_fixture.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using testing::Ip;

// openssl(1) is the server; its page says what was agreed.
class HttpsProbeTest : public ProbeTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ProbeTest::SetUp());
    setenv("CURL_CA_BUNDLE", (files_ / "authority").c_str(), 1);
    On(*provider_,
       "cd " + files_.path() +
           " && openssl req -x509 -newkey ec -pkeyopt "
           "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
           "-addext subjectAltName=DNS:check.example,IP:192.0.2.1 "
           "-keyout key -out authority 2>log");
    Result<lab::Process> server = lab::Process::Start(
        *provider_,
        {.arguments = {"openssl", "s_server", "-accept", "192.0.2.1:443",
                       "-cert", files_ / "authority", "-key", files_ / "key",
                       "-www", "-quiet"},
         .output_file = files_ / "output"});
    ASSERT_TRUE(server) << server.error().message;
    server_.emplace(std::move(*server));
    for (int i = 0; i < 200; ++i) {
      if (Ask(TcpProbe{Ip("192.0.2.1"), 443}).answered) return;
      std::this_thread::sleep_for(50ms);
    }
    FAIL() << "openssl s_server does not listen: " << files_.Read("output");
  }
  ~HttpsProbeTest() override { unsetenv("CURL_CA_BUNDLE"); }

  static HttpProbe Get(const std::string& host, std::string text = "") {
    return {"https://" + host + "/", Ip("192.0.2.1"), 200, std::move(text)};
  }

  testing::TemporaryDirectory files_;
  std::optional<lab::Process> server_;
};

TEST_F(HttpsProbeTest, IsAnsweredByTheHostThatTheUrlNames) {
  EXPECT_ANSWERED(Ask(Get("check.example")));
  EXPECT_ANSWERED(Ask(Get("check.example", "TLSv1.3")));
  EXPECT_ANSWERED(Ask(HttpProbe{"https://192.0.2.1:443/", {}, {}, "TLSv1.3"}));
  EXPECT_FAULT(Ask(Get("check.example", "not there")),
               "the text is not in the answer");
}

TEST_F(HttpsProbeTest, IsNotAnsweredByAnotherHost) {
  EXPECT_FAULT(Ask(Get("other.example")),
               HasSubstr("no alternative certificate subject name matches"));
}

TEST_F(HttpsProbeTest, IsNotAnsweredByOneThatNobodyVouchesFor) {
  unsetenv("CURL_CA_BUNDLE");
  EXPECT_FAULT(Ask(Get("check.example")), HasSubstr("certificate"));
}

TEST_F(HttpsProbeTest, IsNotAnsweredWithoutTls) {
  Serve(lab::Transport::kTcp, 444,
        [](const std::string&) { return HttpAnswer("200 OK", ""); });
  EXPECT_FAULT(Ask(Get("check.example:444"), kShort),
               AnyOf(HasSubstr("no answer"), HasSubstr("SSL")));
}

}  // namespace
}  // namespace uplinkd
