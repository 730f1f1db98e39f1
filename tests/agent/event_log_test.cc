#include "agent/event_log.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "agent/files.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Messages(const std::vector<EventPointer>& events) {
  std::vector<std::string> messages(events.size());
  std::ranges::transform(
      events, messages.begin(),
      [](const EventPointer& event) { return event->message(); });
  return messages;
}

std::vector<std::string> Messages(const v1::EventsResponse& response) {
  std::vector<std::string> messages;
  for (const v1::Event& event : response.events()) {
    messages.push_back(event.message());
  }
  return messages;
}

class EventLogTest : public ::testing::Test {
 protected:
  EventLogTest() { Open(); }

  void Open() {
    bulletin_ = std::make_unique<Bulletin>();
    log_ = std::make_unique<EventLog>(directory_.path(), *bulletin_);
  }
  void Close() {
    log_.reset();
    bulletin_.reset();
  }

  void Publish(v1::Event event) {
    bulletin_->Publish(std::make_shared<v1::Status>(status_), nullptr,
                       std::make_shared<v1::Event>(std::move(event)));
  }
  // At that second of the epoch.
  static v1::Event At(int second, const std::string& message) {
    v1::Event event;
    *event.mutable_time() = TimeUtil::SecondsToTimestamp(second);
    event.set_trigger("event");
    event.set_result("changed");
    event.set_message(message);
    return event;
  }
  // Waits until so many are kept.
  ::testing::AssertionResult Has(std::size_t count) const {
    for (int i = 0; i < 500; ++i) {
      if (log_->Latest(EventLog::kMost).size() == count) {
        return ::testing::AssertionSuccess();
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return ::testing::AssertionFailure()
           << log_->Latest(EventLog::kMost).size() << " events";
  }

  ::testing::AssertionResult HasCaughtUpWith(const std::string& message) const {
    for (int i = 0; i < 500; ++i) {
      if (log_->Latest(1).at(0)->message() == message) {
        return ::testing::AssertionSuccess();
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return ::testing::AssertionFailure() << message << " does not come";
  }

  testing::TemporaryDirectory directory_;
  v1::Status status_;
  std::unique_ptr<Bulletin> bulletin_;
  std::unique_ptr<EventLog> log_;
};

TEST_F(EventLogTest, KeepsTheNewestOldestFirst) {
  EXPECT_THAT(log_->Latest(5), IsEmpty());
  for (int i = 1; i <= 3; ++i) Publish(At(i, std::to_string(i)));
  ASSERT_TRUE(Has(3));
  EXPECT_THAT(Messages(log_->Latest(2)), ElementsAre("2", "3"));
}

TEST_F(EventLogTest, OutlivesARestart) {
  Publish(At(1, "a"));
  Publish(At(2, "b"));
  Close();
  Open();
  EXPECT_THAT(Messages(log_->Latest(9)), ElementsAre("a", "b"));
  Publish(At(3, "c"));
  Close();
  Open();
  EXPECT_THAT(Messages(log_->Latest(9)), ElementsAre("a", "b", "c"));
}

// Not only at the end: a crash costs the last seconds alone.
TEST_F(EventLogTest, IsOnDiskSoonAfterwards) {
  Publish(At(1, "a"));
  const std::string path = directory_.path() + "/events.json";
  for (int i = 0; i < 100 && !ReadFile(path); ++i) {
    std::this_thread::sleep_for(milliseconds(50));
  }
  const auto text = ReadFile(path);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("\"message\":\"a\""));
}

TEST_F(EventLogTest, AFileThatMakesNoSenseCostsItsEventsAlone) {
  Close();
  std::ofstream(directory_.path() + "/events.json") << "{\"events\":[{";
  Open();
  EXPECT_THAT(log_->Latest(9), IsEmpty());
  EXPECT_EQ(directory_.Read("events.json.corrupt"), "{\"events\":[{");
  Publish(At(1, "a"));
  Close();
  Open();
  EXPECT_THAT(Messages(log_->Latest(9)), ElementsAre("a"));
}

TEST_F(EventLogTest, SaysThatItCannotSaveAndSavesLater) {
  const std::string path = directory_ / "events.json";
  std::filesystem::create_directories(path + "/in-the-way");
  Publish(At(1, "a"));
  const auto becomes = [&](bool unsaved) {
    for (int i = 0; i < 500; ++i) {
      if (log_->unsaved().has_value() == unsaved) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  };
  ASSERT_TRUE(becomes(true));
  EXPECT_THAT(log_->unsaved()->message, HasSubstr("events.json"));
  std::filesystem::remove_all(path);
  ASSERT_TRUE(becomes(false));
  EXPECT_THAT(directory_.Read("events.json"), HasSubstr("\"message\":\"a\""));
}

TEST_F(EventLogTest, IsBounded) {
  v1::Event event = At(1, "big");
  for (int i = 0; i < 57; ++i) {
    event.add_plan()->set_command(std::to_string(i));
  }
  Publish(event);
  ASSERT_TRUE(Has(1));
  EXPECT_EQ(log_->Latest(1)[0]->plan_size(), EventLog::kMostLines);
  EXPECT_EQ(log_->Latest(1)[0]->omitted_lines(), 37U);
  const auto most = static_cast<int>(EventLog::kMost);
  for (int i = 1; i <= most; ++i) {
    Publish(At(i, std::to_string(i)));
    if (i % 20 == 0) ASSERT_TRUE(HasCaughtUpWith(std::to_string(i)));
  }
  ASSERT_TRUE(Has(EventLog::kMost));
  EXPECT_EQ(log_->Latest(EventLog::kMost).front()->message(), "1");
}

TEST_F(EventLogTest, CountsWhatHappensAgainAndAgain) {
  for (int i = 0; i < 8; ++i) {
    for (const char* rule : {"ip rule add one", "ip rule add two"}) {
      v1::Event event = At(i, "");
      event.set_trigger("event");
      event.set_result("changed");
      event.add_plan()->set_command(rule);
      Publish(event);
    }
  }
  Publish(At(7, "last"));
  ASSERT_TRUE(Has(3));
  const auto events = log_->Latest(EventLog::kMost);
  EXPECT_EQ(events[0]->plan(0).command(), "ip rule add one");
  EXPECT_EQ(events[0]->times(), 8U);
  EXPECT_EQ(events[0]->first(), At(0, "").time());
  EXPECT_EQ(events[0]->time(), At(7, "").time());
  EXPECT_EQ(events[1]->times(), 8U);
}

TEST_F(EventLogTest, SaysWhatBecameOfUplinks) {
  v1::UplinkStatus& uplink = *status_.add_uplinks();
  uplink.set_name("cable");
  uplink.set_phase("Ready");
  Publish(At(1, "first"));
  uplink.set_phase("Down");
  uplink.set_reason("no probe was answered");
  Publish(At(2, "second"));
  ASSERT_TRUE(Has(4));
  EXPECT_THAT(Messages(log_->Latest(4)),
              ElementsAre("cable came up", "first",
                          "cable went down: no probe was answered", "second"));
  v1::EventsRequest request;
  request.set_trigger("uplink");
  request.set_result("down");
  EXPECT_THAT(Messages(log_->Find(request)),
              ElementsAre("cable went down: no probe was answered"));
}

TEST_F(EventLogTest, FindsWhatIsAskedFor) {
  v1::Event planned = At(3, "");
  planned.add_plan()->set_command("ip route add default dev wan7");
  Publish(At(1, "a"));
  Publish(At(2, "b"));
  Publish(planned);
  v1::Event failed = At(4, "the kernel refused");
  failed.set_result("failed");
  Publish(failed);
  ASSERT_TRUE(Has(4));
  const auto find = [&](const std::function<void(v1::EventsRequest&)>& set) {
    v1::EventsRequest request;
    set(request);
    return Messages(log_->Find(request));
  };
  EXPECT_EQ(find([](v1::EventsRequest&) {}).size(), 4U);
  EXPECT_THAT(find([](v1::EventsRequest& r) { r.set_count(1); }),
              ElementsAre("the kernel refused"));
  EXPECT_THAT(find([](v1::EventsRequest& r) { r.set_text("wan7"); }),
              ElementsAre(""));
  EXPECT_THAT(find([](v1::EventsRequest& r) { r.set_result("failed"); }),
              ElementsAre("the kernel refused"));
  EXPECT_THAT(find([](v1::EventsRequest& r) {
                *r.mutable_since() = TimeUtil::SecondsToTimestamp(2);
                r.set_result("changed");
              }),
              ElementsAre("b", ""));
}

}  // namespace
}  // namespace uplinkd
