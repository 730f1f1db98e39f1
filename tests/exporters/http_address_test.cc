#include "exporters/http_address.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

TEST(HttpAddress, IsAnAddressAndAPort) {
  for (const char* text : {"192.0.2.1:9871", "[2001:db8::1]:9871"}) {
    const auto listen = ParseListen(text);
    ASSERT_TRUE(listen && listen->address) << text;
    EXPECT_EQ(
        HostAndPort(*listen->address, static_cast<std::uint16_t>(listen->port)),
        text);
  }
  for (const char* text : {":9871", "*:9871"}) {
    const auto listen = ParseListen(text);
    ASSERT_TRUE(listen) << text;
    EXPECT_FALSE(listen->address) << text;
    EXPECT_EQ(listen->port, 9871) << text;
  }
}

TEST(HttpAddress, IsNoName) {
  for (const char* text :
       {"", "9871", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:-1",
        "127.0.0.1:70000", "127.0.0.1:1 ", "::1:9871", "[127.0.0.1]:9871",
        "[]:9871", "[:9871", "nohost.invalid:9871", "localhost:9871",
        "127.1:9871"}) {
    EXPECT_FALSE(ParseListen(text)) << text;
  }
}

TEST(HttpAddress, LoopbackIsForThisHostAlone) {
  for (const char* text :
       {"127.0.0.1:1", "127.0.0.53:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(IsLoopback(ParseListen(text).value())) << text;
  }
  for (const char* text : {":1", "0.0.0.0:1", "[::]:1", "192.0.2.1:1",
                           "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"}) {
    EXPECT_FALSE(IsLoopback(ParseListen(text).value())) << text;
  }
}

TEST(HttpAddress, OnlyLocalhostIsANameOfThisHost) {
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:9871", "192.0.2.1:1", "[::1]", "[::1]:9871",
        "localhost", "localhost:9871", "LocalHost:1"}) {
    EXPECT_TRUE(IsAddressOrLocalhost(host)) << host;
  }
  for (const char* host :
       {"", ":", ":9871", "foreign.example", "foreign.example:9871",
        "localhost.foreign.example", "127.0.0.1.foreign.example:9871",
        "localhost:a", "127.0.0.1:9871.foreign.example", "::1", "[::1",
        "[::1]x", "[foreign.example]"}) {
    EXPECT_FALSE(IsAddressOrLocalhost(host)) << host;
  }
}

}  // namespace
}  // namespace uplinkd
