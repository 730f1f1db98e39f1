// What the live page shows, of an engine on a fake machine.
#include "agent/live_state.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <string>

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

v1::LiveState StateOf(const Bulletin& bulletin) {
  v1::LiveState state;
  const auto read = google::protobuf::util::JsonStringToMessage(
      LiveStateJson(bulletin, At(1000)), &state);
  EXPECT_TRUE(read.ok()) << read.ToString();
  return state;
}

void PublishEvent(Bulletin& bulletin, const std::string& message, int lines) {
  auto event = std::make_shared<v1::Event>();
  event->set_message(message);
  for (int i = 0; i < lines; ++i) {
    event->add_plan()->set_command(std::to_string(i));
  }
  bulletin.Publish(std::make_shared<v1::Status>(),
                   std::make_shared<MetricsSnapshot>(), event);
}

TEST(LiveState, HasItsTimeAloneBeforeThereIsAStatus) {
  const v1::LiveState state = StateOf(Bulletin());
  EXPECT_EQ(TimeUtil::TimestampToSeconds(state.time()), 1000);
  EXPECT_FALSE(state.has_status());
  EXPECT_FALSE(state.has_published());
  EXPECT_EQ(state.spec(), "");
}

TEST(LiveState, HasTheNewestEventFirst) {
  Bulletin bulletin;
  for (std::size_t i = 0; i < kLiveEvents + 2; ++i) {
    PublishEvent(bulletin, std::to_string(i), 1);
  }
  const v1::LiveState state = StateOf(bulletin);
  ASSERT_THAT(state.events(), SizeIs(kLiveEvents));
  EXPECT_EQ(state.events(0).event().message(), std::to_string(kLiveEvents + 1));
  EXPECT_EQ(state.events(kLiveEvents - 1).event().message(), "2");
}

TEST(LiveState, LeavesOutTheRestOfALongPlanAndSaysHowMuch) {
  Bulletin bulletin;
  PublishEvent(bulletin, "short", kLivePlanLines);
  PublishEvent(bulletin, "long", kLivePlanLines + 300);
  const v1::LiveState state = StateOf(bulletin);
  EXPECT_EQ(state.events(0).lines_left_out(), 300U);
  ASSERT_THAT(state.events(0).event().plan(), SizeIs(kLivePlanLines));
  EXPECT_EQ(state.events(0).event().plan(0).command(), "0");
  EXPECT_EQ(state.events(1).lines_left_out(), 0U);
  EXPECT_THAT(state.events(1).event().plan(), SizeIs(kLivePlanLines));
}

TEST(LiveState, ShowsWhereTheEngineStandsAndTheSpecThatItFollows) {
  FakeMachine machine;
  const TemporaryDirectory directory;
  RunningEngine engine(testing::OptionsFor(machine, directory.path()));
  engine.Start();
  const Spec spec = TwoUplinkSpec();
  ASSERT_TRUE(engine->Apply(spec, 0));
  ASSERT_TRUE(engine.BecomesInSync(1));

  const v1::LiveState state = StateOf(engine->bulletin());
  EXPECT_EQ(state.status().generation(), 1U);
  EXPECT_THAT(state.status().uplinks(), SizeIs(spec.uplinks.size()));
  EXPECT_TRUE(state.has_published());
  for (const Uplink& uplink : spec.uplinks) {
    EXPECT_TRUE(state.phase_since().contains(uplink.name)) << uplink.name;
  }
  ASSERT_FALSE(state.events().empty());
  EXPECT_EQ(state.events(state.events_size() - 1).event().trigger(), "spec");
  const auto file = ReadSpecText(state.spec(), "state.json");
  ASSERT_TRUE(file);
  EXPECT_EQ(SpecFromProto(file->router).spec.uplinks.size(),
            spec.uplinks.size());

  ASSERT_TRUE(engine->CleanUp(false));
  EXPECT_EQ(StateOf(engine->bulletin()).spec(), "");
}

TEST(LiveState, HasTheSpecOfTheLastRunAfterARestart) {
  FakeMachine machine;
  const TemporaryDirectory directory;
  std::string before;
  {
    RunningEngine engine(testing::OptionsFor(machine, directory.path()));
    engine.Start();
    ASSERT_TRUE(engine->Apply(TwoUplinkSpec(), 0));
    ASSERT_TRUE(engine.BecomesInSync(1));
    before = StateOf(engine->bulletin()).spec();
  }
  RunningEngine engine(testing::OptionsFor(machine, directory.path()));
  engine->Restore();
  EXPECT_EQ(StateOf(engine->bulletin()).spec(), before);
}

}  // namespace
}  // namespace uplinkd
