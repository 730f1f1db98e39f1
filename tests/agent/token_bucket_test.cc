#include "agent/token_bucket.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TokenBucket::Rate kRate{10, 2};

TEST(TokenBucket, GivesABurstAndThenSoMuchASecond) {
  TokenBucket bucket(kRate, seconds(1));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(bucket.Take(1, seconds(1)));
  EXPECT_EQ(bucket.Take(1, seconds(1)), milliseconds(500));
  EXPECT_EQ(bucket.Take(1, milliseconds(1400)), milliseconds(100));
  EXPECT_FALSE(bucket.Take(1, milliseconds(1500)));
  EXPECT_TRUE(bucket.Take(1, milliseconds(1500)));
}

TEST(TokenBucket, NeverHoldsMoreThanABurst) {
  TokenBucket bucket(kRate, seconds(0));
  EXPECT_FALSE(bucket.Take(10, hours(1)));
  EXPECT_EQ(bucket.Take(10, hours(1)), seconds(5));
}

TEST(TokenBucket, WhatIsRefusedCostsNothing) {
  TokenBucket bucket(kRate, seconds(0));
  EXPECT_FALSE(bucket.Take(8, seconds(0)));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(bucket.Take(3, seconds(0)));
  EXPECT_FALSE(bucket.Take(2, seconds(0)));
}

TEST(TokenBucket, AClockThatStandsOrGoesBackGivesNothing) {
  TokenBucket bucket(kRate, seconds(9));
  EXPECT_FALSE(bucket.Take(10, seconds(9)));
  EXPECT_TRUE(bucket.Take(1, seconds(5)));
  EXPECT_TRUE(bucket.Take(1, seconds(9)));
}

TEST(TokenBuckets, OneCallerDoesNotUseUpAnothers) {
  TokenBuckets buckets(kRate);
  EXPECT_FALSE(buckets.Take("uid 0", 10, seconds(0)));
  EXPECT_TRUE(buckets.Take("uid 0", 1, seconds(0)));
  EXPECT_FALSE(buckets.Take("uid 1", 10, seconds(0)));
}

TEST(TokenBuckets, ForgetsThoseThatAreFullAgainAndNoOthers) {
  TokenBuckets buckets(kRate);
  EXPECT_FALSE(buckets.Take("busy", 10, seconds(3)));
  for (int i = 0; i < 1000; ++i) {
    // All but the last few are full again after half a second.
    EXPECT_FALSE(
        buckets.Take("caller " + std::to_string(i), 1, milliseconds(i)));
  }
  EXPECT_LT(buckets.size(), 1000U);
  EXPECT_TRUE(buckets.Take("busy", 1, seconds(3)));
}

}  // namespace
}  // namespace uplinkd
