#include "proto/packet_words.h"

#include <gtest/gtest.h>

#include <string>

namespace uplinkd {
namespace {

TEST(PacketWords, ReadsProtocolsByNameAndNumber) {
  EXPECT_EQ(ParseProtocol("tcp"), 6);
  EXPECT_EQ(ParseProtocol("47"), 47);
  EXPECT_EQ(ParseProtocol("0x11"), 17);
  EXPECT_EQ(ParseProtocol("udplit").error(),
            "\"udplit\" is not known; did you mean udplite?");
  EXPECT_FALSE(ParseProtocol("256"));
  EXPECT_FALSE(ParseProtocol(""));
}

TEST(PacketWords, ReadsPortsAndRanges) {
  EXPECT_EQ(ParsePorts("0"), (PortRange{0, 0}));
  EXPECT_EQ(ParsePorts("10000-20000"), (PortRange{10000, 20000}));
  for (const char* text : {"65536", "1-65536", "-1", "1-", "1-2-3", "http"}) {
    EXPECT_FALSE(ParsePorts(text)) << text;
  }
  EXPECT_EQ(ParsePorts("http").error(),
            "\"http\" is not a port; write one up to 65535, or a range like "
            "\"10000-20000\"");
}

TEST(PacketWords, ReadsCodePointsByNameAndNumber) {
  EXPECT_EQ(ParseDscp("ef"), 46);
  EXPECT_EQ(ParseDscp("af41"), 34);
  EXPECT_EQ(ParseDscp("63"), 63);
  EXPECT_FALSE(ParseDscp("64"));
  EXPECT_FALSE(ParseDscp("af44"));
}

TEST(PacketWords, ReadsHardwareAddresses) {
  EXPECT_EQ(ParseMac("02:00:5e:fF:0A:01"),
            (MacAddress{0x02, 0x00, 0x5e, 0xff, 0x0a, 0x01}));
  for (const char* text :
       {"", "02:00:5e:ff:0a", "02:00:5e:ff:0a:01:", "02-00-5e-ff-0a-01",
        "02:00:5e:ff:0a:0g", "2:00:5e:ff:0a:001"}) {
    EXPECT_FALSE(ParseMac(text)) << text;
  }
}

TEST(PacketWords, ReadsMarks) {
  EXPECT_EQ(ParseMark("0x1000/0xff00"), (Mark{0x1000, 0xff00}));
  EXPECT_EQ(ParseMark("16"), (Mark{16, 0xffffffff}));
  EXPECT_EQ(ParseMark("0/0xf0"), (Mark{0, 0xf0}));
  for (const char* text : {"", "/", "0x10/", "/0xff", "0x10/0x100000000"}) {
    EXPECT_EQ(ParseMark(text).error(),
              "\"" + std::string(text) +
                  "\" is not a mark; write it like 0x1000/0xff00");
  }
  EXPECT_EQ(ParseMark("0x1/0x2").error(),
            "\"0x1/0x2\" never matches: the value has bits that the mask has "
            "not");
}

TEST(PacketWords, ReadsUsers) {
  EXPECT_EQ(ParseUids("0"), (UidRange{0, 0}));
  EXPECT_EQ(ParseUids("1000-1999"), (UidRange{1000, 1999}));
  for (const char* text : {"", "root", "4294967295", "1-", "-1"}) {
    EXPECT_FALSE(ParseUids(text)) << text;
  }
}

TEST(PacketWords, ReadsRates) {
  const Parsed<Rate> rate = ParseRate("7/minute");
  ASSERT_TRUE(rate);
  EXPECT_EQ(rate->count, 7U);
  EXPECT_EQ(rate->unit, std::chrono::minutes(1));
  EXPECT_EQ(FormatRate(*rate), "7/minute");
  for (const char* text : {"", "7", "7/", "0/second", "1001/second", "7/week",
                           "/second", "7/second/second"}) {
    EXPECT_FALSE(ParseRate(text)) << text;
  }
}

TEST(PacketWords, WritesWhatItReads) {
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<std::uint8_t>(value);
    EXPECT_EQ(ParseProtocol(FormatProtocol(byte)), byte);
    if (value < 64) {
      EXPECT_EQ(ParseDscp(FormatDscp(byte)), byte);
    }
    const MacAddress mac = {byte, 0, 255, byte, 7, 1};
    EXPECT_EQ(ParseMac(FormatMac(mac)), mac);
    const PortRange range{byte, static_cast<std::uint16_t>(value * 257)};
    EXPECT_EQ(ParsePorts(FormatPorts(range)), range);
  }
}

}  // namespace
}  // namespace uplinkd
