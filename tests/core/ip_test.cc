// Addresses and prefixes: what parses, how it prints, what contains what.
#include "reconciler/ip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace uplinkd {
namespace {

Prefix P(std::string_view text) {
  return Prefix::Parse(text).value();
}

TEST(Address, PrintsWhatItParses) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255",
                           "::", "::1", "2001:db8::1", "fe80::1:2:3:4"}) {
    const auto address = Address::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Address, RefusesEverythingElse) {
  for (const char* text :
       {"", " ", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.04", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.4/32", "0x7f.0.0.1", "fe80::1%eth0", "1:2:3",
        "2001:db8:::1", "a.b.c.d", "1.2.3.-4"}) {
    EXPECT_FALSE(Address::Parse(text)) << text;
  }
  EXPECT_FALSE(Address::Parse(std::string_view("1.2.3.4\0x", 9)));
  EXPECT_FALSE(Address::Parse(std::string(100'000, '1')));
}

TEST(Address, KnowsItsFamilyAndBits) {
  const Address address = Address::FromIpv4(0xc0000201);
  EXPECT_EQ(address.ToString(), "192.0.2.1");
  EXPECT_EQ(address.ipv4(), 0xc0000201U);
  EXPECT_EQ(address.family(), Family::kIpv4);
  EXPECT_EQ(Address::Parse("::1")->family(), Family::kIpv6);
  EXPECT_NE(Address::Parse("0.0.0.0"), Address::Parse("::"));
  EXPECT_TRUE(Address().IsUnspecified());
  EXPECT_TRUE(Address::Parse("::")->IsUnspecified());
  EXPECT_FALSE(address.IsUnspecified());
}

TEST(Address, DropsTheBytesThatAnIpv4AddressDoesNotHave) {
  std::array<std::uint8_t, 16> bytes{};
  bytes.fill(0xff);
  EXPECT_EQ(Address::FromBytes(Family::kIpv4, bytes),
            Address::Parse("255.255.255.255"));
}

TEST(Address, OrdersByNumber) {
  EXPECT_LT(*Address::Parse("9.0.0.1"), *Address::Parse("10.0.0.1"));
}

TEST(Prefix, PrintsWhatItParses) {
  for (const char* text : {"0.0.0.0/0", "192.0.2.0/24", "192.0.2.1/32", "::/0",
                           "2001:db8::/32", "2001:db8::1/128"}) {
    const auto prefix = Prefix::Parse(text);
    ASSERT_TRUE(prefix) << text;
    EXPECT_EQ(prefix->ToString(), text);
  }
}

TEST(Prefix, TakesABareAddressForAHost) {
  EXPECT_EQ(P("192.0.2.1"), P("192.0.2.1/32"));
  EXPECT_EQ(P("2001:db8::1"), P("2001:db8::1/128"));
}

TEST(Prefix, RefusesHostBitsUnlessLenient) {
  EXPECT_FALSE(Prefix::Parse("192.0.2.1/24"));
  EXPECT_EQ(Prefix::ParseLenient("192.0.2.1/24"), P("192.0.2.0/24"));
  EXPECT_FALSE(Prefix::Parse("10.0.0.0/0"));
  EXPECT_FALSE(Prefix::Parse("2001:db8::1/64"));
}

TEST(Prefix, RefusesEverythingElse) {
  for (const char* text :
       {"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1",
        "192.0.2.0/+8", "192.0.2.0/024", "192.0.2.0/24/8", "192.0.2.0/ 24",
        "192.0.2.0/24 ", "::/129", "::/1000", "192.0.2/24",
        "192.0.2.0/255.255.255.0"}) {
    EXPECT_FALSE(Prefix::ParseLenient(text)) << text;
    EXPECT_FALSE(Prefix::Parse(text)) << text;
  }
}

TEST(Prefix, ContainsAndOverlaps) {
  const Prefix wide = P("10.0.0.0/8");
  const Prefix narrow = P("10.1.0.0/16");
  EXPECT_TRUE(wide.Contains(narrow));
  EXPECT_FALSE(narrow.Contains(wide));
  EXPECT_TRUE(wide.Overlaps(narrow));
  EXPECT_TRUE(narrow.Overlaps(wide));
  EXPECT_FALSE(narrow.Overlaps(P("10.2.0.0/16")));
  EXPECT_TRUE(narrow.Contains(*Address::Parse("10.1.255.255")));
  EXPECT_FALSE(narrow.Contains(*Address::Parse("10.2.0.0")));
  EXPECT_TRUE(Prefix::Default(Family::kIpv4).Contains(wide));
  EXPECT_FALSE(Prefix::Default(Family::kIpv4).Contains(P("::1")));
  EXPECT_FALSE(Prefix::Default(Family::kIpv6).Overlaps(wide));
}

TEST(Prefix, DefaultIsDefault) {
  EXPECT_TRUE(Prefix::Default(Family::kIpv6).IsDefault());
  EXPECT_TRUE(Prefix().IsDefault());
  EXPECT_FALSE(P("0.0.0.0/1").IsDefault());
}

Address RandomAddress(std::mt19937& random) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::uint8_t& byte : bytes) {
    byte = static_cast<std::uint8_t>(random() % 3 == 0 ? 0 : random());
  }
  return Address::FromBytes(random() % 2 == 0 ? Family::kIpv4 : Family::kIpv6,
                            bytes);
}

// Bit `index` of an address, from the front.
bool Bit(const Address& address, int index) {
  return (address.bytes()[index / 8] >> (7 - index % 8) & 1) != 0;
}

TEST(PrefixLaw, PrintingAndParsingGiveTheSameValue) {
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const Address address = RandomAddress(random);
    ASSERT_EQ(Address::Parse(address.ToString()), address);
    const int bits = FamilyBits(address.family());
    const Prefix prefix(address, static_cast<int>(random() % (bits + 1)));
    ASSERT_EQ(Prefix::Parse(prefix.ToString()), prefix);
    ASSERT_TRUE(prefix.Contains(address));
  }
}

TEST(PrefixLaw, ContainsExactlyWhatSharesItsBits) {
  std::mt19937 random(2);
  for (int i = 0; i < 10'000; ++i) {
    const Address a = RandomAddress(random);
    // Mostly near to `a`, so that both answers come up.
    std::array<std::uint8_t, 16> bytes = a.bytes();
    bytes[random() % 16] ^= static_cast<std::uint8_t>(1U << random() % 8);
    const Address b = Address::FromBytes(a.family(), bytes);
    const int length =
        static_cast<int>(random() % (FamilyBits(a.family()) + 1));
    bool same = true;
    for (int bit = 0; bit < length; ++bit) same &= Bit(a, bit) == Bit(b, bit);
    ASSERT_EQ(Prefix(a, length).Contains(b), same)
        << Prefix(a, length).ToString() << " " << b.ToString();
  }
}

}  // namespace
}  // namespace uplinkd
