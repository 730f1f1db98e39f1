#include "agent/hooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TemporaryDirectory;

v1::Status StatusWith(const std::string& phase,
                      const std::string& address = "198.51.100.2") {
  v1::Status status;
  status.set_name("office");
  v1::UplinkStatus& uplink = *status.add_uplinks();
  uplink.set_name("fibre");
  uplink.set_interface("wan1");
  uplink.set_address(address);
  uplink.set_gateway("198.51.100.1");
  uplink.set_phase(phase);
  if (phase != "Ready") uplink.set_reason("wan1 has no carrier");
  uplink.set_mark(1);
  uplink.set_mark_mask(0xff);
  uplink.set_table(11);
  return status;
}

std::vector<std::string> Messages(const std::vector<HookEvent>& events) {
  std::vector<std::string> messages;
  messages.reserve(events.size());
  for (const HookEvent& event : events) {
    messages.push_back(std::string(HookEventName(event.kind)) + ": " +
                       event.message);
  }
  return messages;
}

// ---- what happened ----

TEST(HookEvents, TellTheStateOfEveryUplinkAtFirst) {
  EXPECT_THAT(Messages(HookEventsBetween({}, StatusWith("Ready"))),
              ElementsAre("up: fibre came up"));
  EXPECT_THAT(Messages(HookEventsBetween({}, StatusWith("Waiting"))),
              ElementsAre("down: fibre went down: wan1 has no carrier"));
}

TEST(HookEvents, TellOfChangesOnly) {
  const v1::Status ready = StatusWith("Ready");
  EXPECT_THAT(HookEventsBetween(ready, ready), IsEmpty());
  EXPECT_THAT(HookEventsBetween(ready, StatusWith("Draining")), IsEmpty());
  EXPECT_THAT(Messages(HookEventsBetween(ready, StatusWith("Down"))),
              ElementsAre("down: fibre went down: wan1 has no carrier"));
  EXPECT_THAT(Messages(HookEventsBetween(StatusWith("Blocked"), ready)),
              ElementsAre("up: fibre came up"));
  EXPECT_THAT(
      Messages(HookEventsBetween(ready, StatusWith("Ready", "198.51.100.9"))),
      ElementsAre("address: fibre has the address 198.51.100.9 behind "
                  "198.51.100.1"));
}

TEST(HookEvents, TellThatAnUplinkLeftTheSpec) {
  EXPECT_THAT(Messages(HookEventsBetween(StatusWith("Ready"), {})),
              ElementsAre("down: fibre went down: it left the spec"));
  EXPECT_THAT(HookEventsBetween(StatusWith("Waiting"), {}), IsEmpty());
}

TEST(HookEvents, TellOfRepairs) {
  v1::Status before = StatusWith("Ready");
  before.set_corrections(4);
  v1::Status after = before;
  after.set_corrections(6);
  const std::vector<HookEvent> events = HookEventsBetween(before, after);
  EXPECT_THAT(Messages(events), ElementsAre("drift: 2 objects were repaired"));
  EXPECT_THAT(HookEnvironment(events[0], after),
              Not(Contains(HasSubstr("UPLINKD_UPLINK"))));
  before.set_corrections(5);
  EXPECT_THAT(Messages(HookEventsBetween(before, after)),
              ElementsAre("drift: 1 object was repaired"));
}

TEST(HookEvents, HaveAnEnvironment) {
  const v1::Status status = StatusWith("Down");
  const std::vector<HookEvent> events = HookEventsBetween({}, status);
  EXPECT_THAT(
      HookEnvironment(events.at(0), status),
      ElementsAre("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "UPLINKD_EVENT=down",
                  "UPLINKD_MESSAGE=fibre went down: wan1 has no carrier",
                  "UPLINKD_ROUTER=office", "UPLINKD_UPLINK=fibre",
                  "UPLINKD_INTERFACE=wan1", "UPLINKD_ADDRESS=198.51.100.2",
                  "UPLINKD_GATEWAY=198.51.100.1", "UPLINKD_ADDRESS6=",
                  "UPLINKD_GATEWAY6=", "UPLINKD_PREFIX6=", "UPLINKD_PHASE=Down",
                  "UPLINKD_REASON=wan1 has no carrier", "UPLINKD_TABLE=11",
                  "UPLINKD_MARK=0x1/0xff"));
}

// ---- the programs ----

class HookFolder : public ::testing::Test {
 protected:
  void Add(const std::string& name, const std::string& script,
           mode_t mode = 0755) {
    folder_.Write(name, "#!/bin/sh\n" + script + "\n");
    ASSERT_EQ(chmod((folder_ / name).c_str(), mode), 0);
  }

  void Publish(const v1::Status& status) {
    bulletin_.Publish(std::make_shared<const v1::Status>(status), nullptr,
                      std::make_shared<const v1::Event>());
  }

  // Waits until the hooks wrote `text`.
  std::string Written(const std::string& text) {
    for (int i = 0; i < 1000; ++i) {
      if (notes_.Read("notes").find(text) != std::string::npos) break;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return notes_.Read("notes");
  }

  std::string NoteTo() const { return " >>" + (notes_ / "notes"); }

  TemporaryDirectory folder_;
  TemporaryDirectory notes_;
  Bulletin bulletin_;
};

TEST_F(HookFolder, HoldsOnlyProgramsThatNobodyElseCanWrite) {
  Add("20-second", "");
  Add("10-first", "");
  Add("30.disabled", "");
  Add("40-backup~", "");
  Add("50-text", "", 0644);
  Add("60-shared", "", 0775);
  const auto programs = HookPrograms(folder_.path());
  ASSERT_TRUE(programs) << programs.error().message;
  EXPECT_THAT(*programs,
              ElementsAre(folder_ / "10-first", folder_ / "20-second"));
  EXPECT_THAT(*HookPrograms(folder_ / "none"), IsEmpty());
}

TEST_F(HookFolder, ThatOthersMayWriteToHoldsNone) {
  Add("10-first", "");
  for (const mode_t mode : {0775, 0757}) {
    ASSERT_EQ(chmod(folder_.path().c_str(), mode), 0);
    const auto programs = HookPrograms(folder_.path());
    ASSERT_FALSE(programs);
    EXPECT_EQ(programs.error().code, ErrorCode::kPermissionDenied);
  }
}

TEST_F(HookFolder, ProgramsRunInOrderForEveryEvent) {
  Add("10-first", "echo first $UPLINKD_EVENT $UPLINKD_UPLINK" + NoteTo());
  Add("20-second", "echo second $UPLINKD_EVENT" + NoteTo());
  const Hooks hooks({folder_.path()}, bulletin_);
  Publish(StatusWith("Ready"));
  Publish(StatusWith("Ready"));
  Publish(StatusWith("Down"));
  EXPECT_EQ(Written("second down"),
            "first up fibre\nsecond up\nfirst down fibre\nsecond down\n");
}

TEST_F(HookFolder, AProgramThatHangsIsKilledWithItsChildren) {
  Add("10-hangs", "sleep 60 & sleep 60");
  Add("20-next", "echo next $UPLINKD_EVENT" + NoteTo());
  const Hooks hooks({folder_.path(), milliseconds(200)}, bulletin_);
  Publish(StatusWith("Ready"));
  EXPECT_EQ(Written("next up"), "next up\n");
}

TEST_F(HookFolder, TheEndDoesNotWaitForAProgram) {
  Add("10-hangs", "echo began" + NoteTo() + "; sleep 60");
  const auto start = std::chrono::steady_clock::now();
  {
    const Hooks hooks({folder_.path(), milliseconds(60000)}, bulletin_);
    Publish(StatusWith("Ready"));
    EXPECT_EQ(Written("began"), "began\n");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace uplinkd
