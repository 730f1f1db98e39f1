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
