// What the live page shows, of an engine on a fake machine.
#include "agent/live_state.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "proto/convert.h"
#include "proto/spec_reader.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using testing::FakeMachine;
using testing::RunningEngine;
using ::testing::SizeIs;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

std::chrono::system_clock::time_point At(int seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

v1::LiveState StateOf(const Bulletin& bulletin, const EventLog& events) {
  v1::LiveState state;
  const auto read = google::protobuf::util::JsonStringToMessage(
      LiveStateJson(bulletin, events, At(1000)), &state);
  EXPECT_TRUE(read.ok()) << read.ToString();
  return state;
}

v1::LiveState StateOf(RunningEngine& engine) {
  return StateOf(engine->bulletin(), engine->events());
}

// What is published by the test alone.
class LiveState : public ::testing::Test {
 protected:
  void PublishEvent(const std::string& message, int lines) {
    auto event = std::make_shared<v1::Event>();
    event->set_message(message);
    for (int i = 0; i < lines; ++i) {
      event->add_plan()->set_command(std::to_string(i));
    }
    bulletin_.Publish(std::make_shared<v1::Status>(),
                      std::make_shared<MetricsSnapshot>(), event);
    // The log has a thread of its own.
    ++events_;
    for (int i = 0; i < 500 && log_.Latest(1000).size() < events_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  TemporaryDirectory directory_;
  Bulletin bulletin_;
  EventLog log_{directory_.path(), bulletin_};
  std::size_t events_ = 0;
};
TEST_F(LiveState, HasItsTimeAloneBeforeThereIsAStatus) {
  const v1::LiveState state = StateOf(bulletin_, log_);
  EXPECT_EQ(TimeUtil::TimestampToSeconds(state.time()), 1000);
  EXPECT_FALSE(state.has_status());
  EXPECT_FALSE(state.has_published());
  EXPECT_EQ(state.spec(), "");
}

TEST_F(LiveState, HasTheNewestEventFirst) {
  for (std::size_t i = 0; i < kLiveEvents + 2; ++i) {
    PublishEvent(std::to_string(i), 1);
  }
  const v1::LiveState state = StateOf(bulletin_, log_);
  ASSERT_THAT(state.events(), SizeIs(kLiveEvents));
  EXPECT_EQ(state.events(0).message(), std::to_string(kLiveEvents + 1));
  EXPECT_EQ(state.events(kLiveEvents - 1).message(), "2");
}

TEST_F(LiveState, LeavesOutTheRestOfALongPlanAndSaysHowMuch) {
  PublishEvent("short", kLivePlanLines);
  PublishEvent("long", kLivePlanLines + 300);
  const v1::LiveState state = StateOf(bulletin_, log_);
  EXPECT_EQ(state.events(0).omitted_lines(), 300U);
  ASSERT_THAT(state.events(0).plan(), SizeIs(kLivePlanLines));
  EXPECT_EQ(state.events(0).plan(0).command(), "0");
  EXPECT_EQ(state.events(1).omitted_lines(), 0U);
  EXPECT_THAT(state.events(1).plan(), SizeIs(kLivePlanLines));
}

TEST_F(LiveState, ShowsWhereTheEngineStandsAndTheSpecThatItFollows) {
  FakeMachine machine;
  const TemporaryDirectory state_dir;
  RunningEngine engine(testing::OptionsFor(machine, state_dir.path()));
  engine.Start();
  const Spec spec = TwoUplinkSpec();
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine.BecomesInSync(1));

  const v1::LiveState state = StateOf(engine);
  EXPECT_EQ(state.status().generation(), 1U);
  EXPECT_THAT(state.status().uplinks(), SizeIs(spec.uplinks.size()));
  EXPECT_TRUE(state.has_published());
  for (const Uplink& uplink : spec.uplinks) {
    EXPECT_TRUE(state.phase_since().contains(uplink.name)) << uplink.name;
  }
  const auto file = ReadSpecText(state.spec(), "state.json");
  ASSERT_TRUE(file);
  EXPECT_EQ(SpecFromProto(file->router).spec.uplinks.size(),
            spec.uplinks.size());

  ASSERT_TRUE(engine->CleanUp(false, kClient));
  EXPECT_EQ(StateOf(engine).spec(), "");
}

TEST_F(LiveState, HasTheSpecOfTheLastRunAfterARestart) {
  FakeMachine machine;
  const TemporaryDirectory state_dir;
  std::string before;
  {
    RunningEngine engine(testing::OptionsFor(machine, state_dir.path()));
    engine.Start();
    ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
    ASSERT_TRUE(engine.BecomesInSync(1));
    before = StateOf(engine).spec();
  }
  RunningEngine engine(testing::OptionsFor(machine, state_dir.path()));
  engine->Restore();
  EXPECT_EQ(StateOf(engine).spec(), before);
}

}  // namespace
}  // namespace uplinkd
