#include "agent/bulletin.h"

#include <gtest/gtest.h>

#include <thread>

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kAtOnce{0};

StatusPointer StatusOf(std::uint64_t generation) {
  auto status = std::make_shared<v1::Status>();
  status->set_generation(generation);
  return status;
}

EventPointer EventOf(const std::string& message) {
  auto event = std::make_shared<v1::Event>();
  event->set_message(message);
  return event;
}

bool Never() {
  return false;
}

TEST(Bulletin, GivesBackWhatWasPublishedLast) {
  Bulletin bulletin;
  EXPECT_EQ(bulletin.status(), nullptr);
  bulletin.Publish(StatusOf(1), nullptr, nullptr);
  bulletin.Publish(StatusOf(2), nullptr, nullptr);
  EXPECT_EQ(bulletin.status()->generation(), 2U);
}

TEST(Bulletin, AWatcherStartsWithThePresentAndThenGetsEveryEventInOrder) {
  Bulletin bulletin;
  bulletin.Publish(StatusOf(1), nullptr, EventOf("before"));
  const auto watcher = bulletin.Subscribe();
  bulletin.Publish(StatusOf(2), nullptr, EventOf("a"));
  bulletin.Publish(StatusOf(3), nullptr, nullptr);
  bulletin.Publish(StatusOf(4), nullptr, EventOf("b"));

  const auto first = watcher->Next(kAtOnce);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status->generation(), 1U);
  EXPECT_EQ(first->event, nullptr);
  EXPECT_EQ(watcher->Next(kAtOnce)->event->message(), "a");
  const auto last = watcher->Next(kAtOnce);
  EXPECT_EQ(last->event->message(), "b");
  EXPECT_EQ(last->status->generation(), 4U);
  EXPECT_FALSE(watcher->Next(kAtOnce));
}

TEST(Bulletin, AWatcherThatComesFirstGetsTheFirstStatus) {
  Bulletin bulletin;
  const auto watcher = bulletin.Subscribe();
  EXPECT_FALSE(watcher->Next(kAtOnce));
  bulletin.Publish(StatusOf(1), nullptr, nullptr);
  bulletin.Publish(StatusOf(2), nullptr, nullptr);
  const auto first = watcher->Next(kAtOnce);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status->generation(), 1U);
  EXPECT_EQ(first->event, nullptr);
  EXPECT_FALSE(watcher->Next(kAtOnce));
}

TEST(Bulletin, ASlowWatcherLosesTheOldestEventsAndIsTold) {
  Bulletin bulletin;
  const auto watcher = bulletin.Subscribe();
  for (std::size_t i = 0; i < Bulletin::kMaxQueued + 3; ++i) {
    bulletin.Publish(StatusOf(i), nullptr, EventOf(std::to_string(i)));
  }
  const auto first = watcher->Next(kAtOnce);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->lost, 3U);
  EXPECT_EQ(first->event->message(), "3");
  std::size_t received = 1;
  while (const auto news = watcher->Next(kAtOnce)) {
    EXPECT_EQ(news->lost, 0U);
    ++received;
  }
  EXPECT_EQ(received, Bulletin::kMaxQueued);
}

TEST(Bulletin, HasTheSpecUntilThereIsNone) {
  Bulletin bulletin;
  EXPECT_EQ(bulletin.spec(), nullptr);
  bulletin.PublishSpec(std::make_shared<const std::string>("kind: Router\n"));
  EXPECT_EQ(*bulletin.spec(), "kind: Router\n");
  bulletin.PublishSpec(nullptr);
  EXPECT_EQ(bulletin.spec(), nullptr);
}

TEST(Bulletin, TurnsAwayTooManyWatchers) {
  Bulletin bulletin;
  std::vector<std::unique_ptr<Bulletin::Subscription>> watchers;
  for (std::size_t i = 0; i < Bulletin::kMaxWatchers; ++i) {
    watchers.push_back(bulletin.Subscribe());
    ASSERT_NE(watchers.back(), nullptr);
  }
  EXPECT_EQ(bulletin.Subscribe(), nullptr);
  watchers.pop_back();
  EXPECT_NE(bulletin.Subscribe(), nullptr);
}

TEST(Bulletin, WaitsUntilTheStatusIsGood) {
  Bulletin bulletin;
  bulletin.Publish(StatusOf(1), nullptr, nullptr);
  std::thread publisher([&] {
    std::this_thread::sleep_for(milliseconds(20));
    bulletin.Publish(StatusOf(2), nullptr, nullptr);
  });
  EXPECT_TRUE(bulletin.WaitUntil(
      [](const v1::Status& status) { return status.generation() == 2; },
      seconds(20), Never));
  publisher.join();
}

TEST(Bulletin, WaitingHasAnEnd) {
  Bulletin bulletin;
  bulletin.Publish(StatusOf(1), nullptr, nullptr);
  const auto bad = [](const v1::Status&) { return false; };
  EXPECT_FALSE(bulletin.WaitUntil(bad, milliseconds(10), Never));
  EXPECT_FALSE(bulletin.WaitUntil(bad, seconds(20), [] { return true; }));
  const auto good = [](const v1::Status&) { return true; };
  EXPECT_TRUE(bulletin.WaitUntil(good, kAtOnce, Never));
}

TEST(Bulletin, ClosingWakesEverybody) {
  Bulletin bulletin;
  bulletin.Publish(StatusOf(1), nullptr, nullptr);
  const auto watcher = bulletin.Subscribe();
  ASSERT_TRUE(watcher->Next(kAtOnce));
  std::thread waiter([&] {
    EXPECT_FALSE(bulletin.WaitUntil([](const v1::Status&) { return false; },
                                    seconds(20), Never));
  });
  std::thread closer([&] {
    std::this_thread::sleep_for(milliseconds(20));
    bulletin.Close();
  });
  EXPECT_FALSE(watcher->Next(seconds(20)));
  waiter.join();
  closer.join();
}

}  // namespace
}  // namespace uplinkd
