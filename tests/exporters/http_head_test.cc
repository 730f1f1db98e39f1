#include "exporters/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace uplinkd {
namespace {

constexpr char kRequestLine[] = "GET /metrics HTTP/1.1\r\n";

std::string HeadWith(const std::string& fields) {
  return kRequestLine + fields + "\r\n";
}

TEST(HttpHead, EndsBehindItsEmptyLine) {
  const std::string head = HeadWith("Host: a\r\n");
  EXPECT_EQ(EndOfHead(head), head.size());
  EXPECT_EQ(EndOfHead(head + "body\n\r\n"), head.size());
  for (std::size_t i = 0; i < head.size(); ++i) {
    EXPECT_EQ(EndOfHead(head.substr(0, i)), std::string::npos) << i;
    EXPECT_EQ(EndOfHead(head, i), head.size()) << i;
  }
}

TEST(HttpHead, IsSeenAsItIs) {
  const std::string head = HeadWith("Host: a\r\nUser-Agent: b\r\n");
  EXPECT_EQ(AdmitHead(head).text, head);
  EXPECT_EQ(AdmitHead(head).refusal, 0);
}

TEST(HttpHead, AsksForNoRange) {
  for (const char* field :
       {"Range: bytes=0-\r\n", "range:bytes=0-1\r\n", "RANGE: x\r\n",
        "Range:\r\n", "Range: a\r\nRange: b\r\n"}) {
    EXPECT_EQ(AdmitHead(HeadWith(std::string("Host: a\r\n") + field)).text,
              HeadWith("Host: a\r\n"))
        << field;
  }
  for (const char* field :
       {"Ranges: 1\r\n", "Rang: 1\r\n", "If-Range: a\r\n"}) {
    EXPECT_EQ(AdmitHead(HeadWith(field)).text, HeadWith(field));
  }
}

TEST(HttpHead, TakesGzipAlone) {
  EXPECT_EQ(AdmitHead(HeadWith("accept-encoding: br, gzip;q=1\r\n")).text,
            HeadWith("Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(AdmitHead(HeadWith("Accept-Encoding: br\r\n")).text, HeadWith(""));
}

TEST(HttpHead, HasNoBody) {
  EXPECT_EQ(AdmitHead(HeadWith("Host: a\r\n") + "Host: b\r\n\r\n").text,
            HeadWith("Host: a\r\n"));
}

TEST(HttpHead, IsRefusedIfItIsTooLong) {
  std::string fields;
  for (std::size_t i = 2; i < kMaxHeadLines; ++i) fields += "a: b\r\n";
  EXPECT_EQ(AdmitHead(HeadWith(fields)).refusal, 0);
  EXPECT_EQ(AdmitHead(HeadWith(fields + "a: b\r\n")).refusal, 431);

  const std::string frame = HeadWith("a: \r\n");
  const std::string value(kMaxHeadBytes - frame.size(), 'x');
  EXPECT_EQ(AdmitHead(HeadWith("a: " + value + "\r\n")).refusal, 0);
  EXPECT_EQ(AdmitHead(HeadWith("a: " + value + "x\r\n")).refusal, 431);
  // One that is not over yet.
  EXPECT_EQ(AdmitHead(kRequestLine + std::string(kMaxHeadBytes, 'x')).refusal,
            431);

  const std::string path(kMaxRequestLine, 'x');
  EXPECT_EQ(AdmitHead("GET /" + path + " HTTP/1.1\r\n\r\n").refusal, 414);
  EXPECT_EQ(AdmitHead(path + path).refusal, 414);
}

}  // namespace
}  // namespace uplinkd
