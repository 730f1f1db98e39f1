#include "exporters/metrics_text.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/exporters/full_snapshot.h"

namespace uplinkd {
namespace {

SnapshotPointer SnapshotOf(std::uint64_t generation) {
  MetricsSnapshot snapshot = testing::FullSnapshot();
  snapshot.generation = generation;
  return std::make_shared<const MetricsSnapshot>(std::move(snapshot));
}

// Counts how often a text is made.
class CountedText {
 public:
  std::string Of(const SnapshotPointer& snapshot) {
    return *text_.Of(snapshot);
  }
  int made() const { return made_; }

 private:
  std::atomic<int> made_ = 0;
  MetricsText text_{[this](const MetricsSnapshot& snapshot) {
    ++made_;
    return RenderMetrics(snapshot);
  }};
};

TEST(MetricsText, IsMadeOncePerSnapshot) {
  CountedText text;
  for (const std::uint64_t generation : {1, 2, 3}) {
    const SnapshotPointer snapshot = SnapshotOf(generation);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(text.Of(snapshot), RenderMetrics(*snapshot));
    }
    EXPECT_EQ(text.made(), static_cast<int>(generation));
  }
}

// Snapshots that are freed, of which the next may get the address.
TEST(MetricsText, IsNeverThatOfAnEarlierSnapshot) {
  CountedText text;
  for (std::uint64_t generation = 1; generation <= 100; ++generation) {
    const std::string wanted = RenderMetrics(*SnapshotOf(generation));
    EXPECT_EQ(text.Of(SnapshotOf(generation)), wanted);
  }
}

TEST(MetricsText, IsThatOfItsSnapshotForEachThread) {
  CountedText text;
  const std::vector<SnapshotPointer> snapshots = {SnapshotOf(1), SnapshotOf(2)};
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const SnapshotPointer& snapshot = snapshots[i % 2];
      const std::string wanted = RenderMetrics(*snapshot);
      for (int k = 0; k < 50; ++k) {
        if (text.Of(snapshot) != wanted) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace uplinkd
