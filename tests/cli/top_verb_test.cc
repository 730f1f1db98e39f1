// top: what it shows, on a terminal (tmux) and without one.
#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

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

std::string TextOf(const std::vector<StyledLine>& lines) {
  std::string text;
  for (const StyledLine& line : lines) {
    for (const StyledText& span : line) text += span.text;
    text += '\n';
  }
  return text;
}

TopFrame FrameOf(const v1::Status& status, int looks = 1) {
  TopFrame frame;
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
  // Half of the capacity is half of the bar; without one, all that there was.
  EXPECT_THAT(text, HasSubstr("  down ████████████░░░░░░░░░░░ 40 Mbit/s of 80 "
                              "Mbit/s                          ▄\n"));
  EXPECT_THAT(text, HasSubstr("  up   ███████████████████████ 8.0 Mbit/s"));
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

TEST(TopView, FitsEveryTerminal) {
  TopFrame frame = FrameOf(OfficeStatus(), 200);
  for (int i = 0; i < 30; ++i) {
    v1::Event& event = *frame.events.add_events();
    event.set_message(std::string(300, 'x'));
  }
  for (std::size_t width = 1; width < 200; width += 7) {
    for (std::size_t height = 1; height < 60; height += 5) {
      const auto lines =
          DrawTop(frame, {.width = width, .height = height, .unicode = false});
      ASSERT_LE(lines.size(), height);
      for (const StyledLine& line : lines) {
        std::size_t columns = 0;
        for (const StyledText& span : line) columns += span.text.size();
        ASSERT_LE(columns, width);
      }
    }
  }
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
