// top: what it shows, on a terminal (tmux) and without one.
#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "cli/top_view.h"
#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::Status OfficeStatus() {
  v1::Status status;
  status.set_name("office");
  status.set_revision("a1b2c3");
  status.set_generation(3);
  status.set_observed_generation(3);
  for (const char* name : {"fibre", "cable"}) {
    v1::UplinkStatus& uplink = *status.add_uplinks();
    uplink.set_name(name);
    uplink.set_interface("wan" + std::to_string(status.uplinks_size()));
    uplink.set_phase("Ready");
    uplink.set_connections(1234);
    uplink.set_intended_share(0.5);
    uplink.set_achieved_share(0.48);
    uplink.set_receive_bytes_per_second(5e6);   // 40 Mbit/s
    uplink.set_transmit_bytes_per_second(1e6);  // 8 Mbit/s
    uplink.mutable_capacity()->mutable_download()->set_bits_per_second(80e6);
  }
  return status;
}

std::string TextOf(const TopPicture& picture) {
  std::string text;
  for (const StyledLine& line : picture.lines) {
    for (const StyledText& span : line) text += span.text;
    text += '\n';
  }
  return text;
}

TopFrame FrameOf(const v1::Status& status, int looks = 1) {
  TopFrame frame;
  frame.answered = true;
  frame.status = status;
  for (int i = 0; i < looks; ++i) frame.history.Note(status);
  return frame;
}

TEST(TopView, SaysHowEachUplinkIs) {
  const std::string text =
      TextOf(DrawTop(FrameOf(OfficeStatus()), {.width = 80}));
  EXPECT_THAT(text, StartsWith("office a1b2c3  in sync  generation 3"));
  EXPECT_THAT(text, HasSubstr("fibre        Ready    wan1  not probed  1234 "
                              "connections  share 48 % of 50 %"));
  // Half of the capacity is half of the bar; without one there is none.
  EXPECT_THAT(text, HasSubstr("  down ████████████░░░░░░░░░░░ 40 Mbit/s of 80 "
                              "Mbit/s                          ▄\n"));
  EXPECT_THAT(text, HasSubstr("  up                           8.0 Mbit/s"));
}

TEST(TopView, NamesWhatIsWrong) {
  v1::Status status = OfficeStatus();
  status.set_observed_generation(2);
  v1::Condition& condition = *status.add_conditions();
  condition.set_type("Degraded");
  condition.set_status("True");
  condition.set_reason("UplinkDown");
  condition.set_message("cable is down");
  status.mutable_uplinks(1)->set_phase("Down");
  status.mutable_uplinks(1)->set_reason("no probe was answered");
  TopFrame frame = FrameOf(status);
  frame.trouble = "for 5s no answer: connection refused";
  const std::string text = TextOf(DrawTop(frame, {.width = 80}));
  EXPECT_THAT(text, AllOf(HasSubstr("NOT in sync"),
                          HasSubstr("for 5s no answer: connection refused"),
                          HasSubstr("Degraded True: UplinkDown: cable is down"),
                          HasSubstr("cable        Down"),
                          HasSubstr("  no probe was answered")));
}

TEST(TopView, ShowsControlCharacters) {
  v1::Status status = OfficeStatus();
  status.mutable_uplinks(1)->set_reason("line\nbreak \x1b[31mred");
  TopFrame frame = FrameOf(status);
  frame.events.add_events()->set_message(std::string(200, '\n'));
  const TopPicture picture = DrawTop(frame, {.width = 80});
  const std::string text = TextOf(picture);
  EXPECT_THAT(text, HasSubstr("line\\nbreak \\x1b[31mred\n"));
  EXPECT_EQ(std::ranges::count(text, '\n'),
            static_cast<std::ptrdiff_t>(picture.lines.size()));
  EXPECT_LE(text.size() - text.rfind('\n', text.size() - 2), 82U);
}

TEST(TopView, ShowsTheNewestEventsFirst) {
  TopFrame frame = FrameOf(OfficeStatus());
  for (int i = 1; i <= 9; ++i) {
    frame.events.add_events()->set_message("event " + std::to_string(i));
  }
  const std::string text = TextOf(DrawTop(frame, {.width = 80}));
  EXPECT_LT(text.find("event 9"), text.find("event 8"));
  EXPECT_THAT(text, Not(HasSubstr("event 4")));
}

// wan1 to wanN, of which the last but one is down and the last is drained.
v1::Status ManyUplinks(int count) {
  v1::Status status = OfficeStatus();
  status.clear_uplinks();
  for (int i = 1; i <= count; ++i) {
    v1::UplinkStatus& uplink = *status.add_uplinks();
    uplink.set_name("wan" + std::to_string(i));
    uplink.set_interface("eth" + std::to_string(i));
    uplink.set_phase("Ready");
    uplink.set_connections(10000 + static_cast<unsigned>(i));
    uplink.set_intended_share(0.25);
    uplink.set_achieved_share(0.24);
    uplink.set_receive_bytes_per_second(5e6);
    uplink.set_transmit_bytes_per_second(1e6);
    uplink.mutable_health()->set_state("Degraded");
  }
  v1::UplinkStatus& down = *status.mutable_uplinks(count - 2);
  down.set_phase("Down");
  down.set_reason("no probe was answered");
  status.mutable_uplinks(count - 1)->set_phase("Draining");
  return status;
}

TopFrame ManyUplinksFrame() {
  TopFrame frame = FrameOf(ManyUplinks(32));
  for (int i = 1; i <= 9; ++i) {
    frame.events.add_events()->set_message("event " + std::to_string(i));
  }
  return frame;
}

TEST(TopView, FitsEveryTerminal) {
  for (TopFrame frame : {FrameOf(OfficeStatus(), 200), ManyUplinksFrame()}) {
    for (int i = 0; i < 30; ++i) {
      frame.events.add_events()->set_message(std::string(300, 'x'));
    }
    for (std::size_t width = 1; width < 200; width += 7) {
      for (std::size_t height = 1; height < 60; height += 5) {
        const auto lines = DrawTop(frame, {.width = width,
                                           .height = height,
                                           .unicode = false,
                                           .keys = height % 2 == 0})
                               .lines;
        ASSERT_LE(lines.size(), height);
        for (const StyledLine& line : lines) {
          std::size_t columns = 0;
          for (const StyledText& span : line) columns += span.text.size();
          ASSERT_LE(columns, width);
        }
      }
    }
  }
}

TEST(TopView, GivesEachOfManyUplinksALineAndTheWorstTheFirst) {
  const TopFrame frame = ManyUplinksFrame();
  const TopPicture picture = DrawTop(frame, {.width = 100, .height = 30});
  const std::string text = TextOf(picture);
  EXPECT_EQ(picture.lines.size(), 30U);
  EXPECT_THAT(text,
              HasSubstr("\nwan31   Down      Degraded  10031  24/25 %  no "
                        "probe was answered\nwan32   Draining  Degraded  "
                        "10032  24/25 %  40 Mbit/s"));
  EXPECT_EQ(picture.shown, 20U);
  EXPECT_THAT(text, AllOf(HasSubstr("wan18 "), Not(HasSubstr("wan19 ")),
                          HasSubstr("\n12 more below\n")));
  EXPECT_THAT(text, AllOf(HasSubstr("event 9"), HasSubstr("event 7"),
                          HasSubstr("q quits  ? keys  arrows")));
  // A high terminal has room for all of them.
  const TopPicture all = DrawTop(frame, {.width = 100, .height = 60});
  EXPECT_EQ(all.shown, 32U);
  EXPECT_THAT(TextOf(all),
              AllOf(Not(HasSubstr(" more below")), Not(HasSubstr("arrows"))));
}

TEST(TopView, ScrollsToEveryUplinkAndNoFurther) {
  using Key = Terminal::Key;
  const TopFrame frame = ManyUplinksFrame();
  TopShape shape = {.width = 100, .height = 30};
  TopPicture picture = DrawTop(frame, shape);
  const auto press = [&](Key key) {
    shape.first = ScrollTo(key, picture);
    picture = DrawTop(frame, shape);
    return picture.first;
  };
  EXPECT_EQ(press(Key::kUp), 0U);
  EXPECT_EQ(press(Key::kDown), 1U);
  EXPECT_THAT(TextOf(picture), HasSubstr("1 more above, 11 more below"));
  EXPECT_EQ(press(Key::kOther), 1U);
  EXPECT_EQ(press(Key::kPageDown), 12U);
  EXPECT_THAT(TextOf(picture),
              AllOf(HasSubstr("\n12 more above\n"), HasSubstr("wan30 ")));
  EXPECT_EQ(press(Key::kDown), 12U);
  EXPECT_EQ(press(Key::kPageUp), 0U);
  EXPECT_EQ(press(Key::kEnd), 12U);
  EXPECT_EQ(press(Key::kUp), 11U);
  EXPECT_EQ(press(Key::kHome), 0U);
}

TEST(TopView, ShowsWhatMattersOnANarrowTerminal) {
  const std::string table =
      TextOf(DrawTop(ManyUplinksFrame(), {.width = 40, .height = 30}));
  EXPECT_THAT(table, HasSubstr("wan32  Draining Degraded 10032 24/25 %"));
  v1::Status status = OfficeStatus();
  v1::HealthStatus& health = *status.mutable_uplinks(0)->mutable_health();
  health.set_state("Up");
  health.add_probes()->set_answered(true);
  const std::string full = TextOf(DrawTop(FrameOf(status), {.width = 40}));
  EXPECT_THAT(full, HasSubstr("fibre        Ready   \n"
                              "  health Up, loss 0 %  1234 connections\n"
                              "  share 48 % of 50 %  wan1\n"));
}

TEST(TopView, NamesTheKeys) {
  const std::string text = TextOf(
      DrawTop(ManyUplinksFrame(), {.width = 80, .height = 24, .keys = true}));
  EXPECT_THAT(text, AllOf(HasSubstr("Up Down, k j"), HasSubstr("PgUp PgDn"),
                          HasSubstr("Home End"), Not(HasSubstr("Lately"))));
}

TEST(TopView, TellsTheTimeOfDayInUtc) {
  TopFrame frame = FrameOf(OfficeStatus());
  ASSERT_TRUE(
      TimeUtil::FromString("2026-11-26T12:05:00.123456789Z", &frame.now));
  for (const char* time :
       {"2026-11-25T23:59:59.5Z", "2026-11-26T12:04:00.9Z"}) {
    v1::Event& event = *frame.events.add_events();
    ASSERT_TRUE(TimeUtil::FromString(time, event.mutable_time()));
    event.set_trigger("drain");
    event.set_result("begun");
  }
  EXPECT_THAT(TextOf(DrawTop(frame, {.width = 80})),
              HasSubstr("Lately (UTC)\n"
                        "  12:04:00 drain begun\n"
                        "  2026-11-25 23:59:59 drain begun\n"));
}

TEST(TopView, SaysThatWhatItShowsIsOld) {
  TopFrame frame = FrameOf(OfficeStatus());
  frame.now = TimeUtil::SecondsToTimestamp(1000);
  *frame.status.mutable_published() = TimeUtil::SecondsToTimestamp(997);
  EXPECT_THAT(TextOf(DrawTop(frame, {.width = 80})), Not(HasSubstr("as of")));
  *frame.status.mutable_published() = TimeUtil::SecondsToTimestamp(988);
  EXPECT_THAT(TextOf(DrawTop(frame, {.width = 80})),
              HasSubstr("\nwhat is shown is as of 12s ago\n"));
}

TEST(TopView, ClaimsNothingBeforeTheFirstAnswer) {
  TopFrame frame;
  frame.trouble = "for 3s no answer: connection refused";
  EXPECT_EQ(TextOf(DrawTop(frame, {.width = 80})),
            "uplinkctl waits for the agent\n"
            "for 3s no answer: connection refused\n");
}

TEST(TopView, ShowsAMeanThatGoesToZeroAsZero) {
  v1::Status status = OfficeStatus();
  status.mutable_uplinks(0)->clear_capacity();
  status.mutable_uplinks(0)->set_receive_bytes_per_second(1e-5);
  status.mutable_uplinks(0)->set_transmit_bytes_per_second(0);
  const std::string text = TextOf(DrawTop(FrameOf(status), {.width = 80}));
  EXPECT_THAT(text, HasSubstr("  down" + std::string(25, ' ') + "0   "));
  EXPECT_THAT(text, Not(HasSubstr("0.0 bit/s")));
}

TEST(TopView, ForgetsTheRatesOfAnUplinkThatIsGone) {
  RateHistory history;
  v1::Status status = OfficeStatus();
  history.Note(status);
  status.mutable_uplinks()->RemoveLast();
  history.Note(status);
  EXPECT_EQ(history.Of("cable"), nullptr);
  ASSERT_NE(history.Of("fibre"), nullptr);
  EXPECT_EQ(history.Of("fibre")->receive.size(), 2U);
}

class TopVerbTest : public ScriptedAgentTest {
 protected:
  TopVerbTest() { *agent_.status_response.mutable_status() = OfficeStatus(); }

  // One that can be stopped.
  std::unique_ptr<ScriptedAgent> StartOther() const {
    auto agent = std::make_unique<ScriptedAgent>(other_socket());
    *agent->status_response.mutable_status() = OfficeStatus();
    return agent;
  }
  std::string other_socket() const { return (directory() / "other").string(); }
};

TEST_F(TopVerbTest, IsPlainTextWithoutATerminal) {
  const ProgramResult result = Ask("top -n 2 --interval 10ms </dev/null");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("office a1b2c3"), Not(HasSubstr("\x1b"))));
  const std::size_t first = result.out.find("office a1b2c3");
  EXPECT_NE(result.out.find("office a1b2c3", first + 1), std::string::npos);
}

TEST_F(TopVerbTest, WithoutAnAgentThereIsNothingToShow) {
  EXPECT_EQ(Ctl("top --timeout 1s </dev/null",
                "UPLINKD_ADDRESS=unix:///nonexistent/socket")
                .exit_code,
            3);
}

// In a tmux server of its own.
class TopInTmux : public TopVerbTest {
 protected:
  void Start(const std::string& at) const {
    Tmux(
        "-f /dev/null new-session -d -x 100 -y 30 "
        "\"env LC_ALL=C.UTF-8 UPLINKD_ADDRESS=unix://" +
        at + " $UPLINKCTL top --interval 100ms; echo ended $?; cat\"");
  }
  ~TopInTmux() override { Tmux("kill-server"); }

  std::string Tmux(const std::string& command) const {
    return Sh("tmux -S " + (directory() / "tmux").string() + " " + command).out;
  }
  // What is on the screen once `text` is.
  std::string Until(const std::string& text) const {
    std::string screen;
    for (int i = 0; i < 100; ++i) {
      screen = Tmux("capture-pane -p");
      if (screen.find(text) != std::string::npos) return screen;
      std::this_thread::sleep_for(milliseconds(50));
    }
    ADD_FAILURE() << "no \"" << text << "\" on\n" << screen;
    return screen;
  }
};

TEST_F(TopInTmux, ShowsResizesAndQuits) {
  Start(socket());
  EXPECT_THAT(Until("office a1b2c3"), HasSubstr("█"));
  Until("▄▄▄");  // the curve grows
  Tmux("resize-window -x 40 -y 10");
  std::string screen;
  for (int i = 0; i < 100; ++i) {
    screen = Tmux("capture-pane -p");
    if (screen.find("▄") == std::string::npos) break;
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_THAT(screen, AllOf(HasSubstr("office a1b2c3"), Not(HasSubstr("▄"))));
  Tmux("send-keys q");
  Until("ended 0");
}

TEST_F(TopInTmux, ScrollsWithTheKeys) {
  *agent_.status_response.mutable_status() = ManyUplinks(40);
  Start(socket());
  Until("more below");
  EXPECT_THAT(Until("wan39"), Not(HasSubstr("wan38")));
  Tmux("send-keys Down");
  Until("1 more above");
  Tmux("send-keys j");
  Until("2 more above");
  Tmux("send-keys Up k");
  EXPECT_THAT(Until("wan39"), Not(HasSubstr("more above")));
  Tmux("send-keys NPage");
  Until("more above");
  Tmux("send-keys End");
  Until("wan38");
  Tmux("send-keys Home");
  Until("wan39");
  Tmux("send-keys End PPage");
  Until("more below");
  Tmux("send-keys ?");
  Until("PgUp PgDn  ");
  Tmux("send-keys q");
  Until("ended 0");
}

TEST_F(TopInTmux, WaitsForAnAgentThatDoesNotAnswerYet) {
  Start(other_socket());
  EXPECT_THAT(Until("no answer"),
              AllOf(HasSubstr("waits for the agent"), Not(HasSubstr("spec"))));
  const std::unique_ptr<ScriptedAgent> agent = StartOther();
  EXPECT_THAT(Until("in sync"), Not(HasSubstr("waits")));
}

TEST_F(TopInTmux, GoesOnWhenTheAgentDoesNotAnswer) {
  std::unique_ptr<ScriptedAgent> agent = StartOther();
  Start(other_socket());
  Until("in sync");
  agent.reset();
  EXPECT_THAT(Until("no answer"), HasSubstr("office a1b2c3"));
  agent = StartOther();
  for (int i = 0; i < 100; ++i) {
    if (Tmux("capture-pane -p").find("no answer") == std::string::npos) return;
    std::this_thread::sleep_for(milliseconds(50));
  }
  ADD_FAILURE() << Tmux("capture-pane -p");
}

}  // namespace
}  // namespace uplinkd
