// Hooks of an agent that balances real uplinks.
#include <fstream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

class Hook : public AgentLab {
 protected:
  // Takes a note of what it is told.
  void AddNote() {
    Add("20-note",
        "echo $UPLINKD_EVENT $UPLINKD_UPLINK $UPLINKD_ADDRESS $UPLINKD_MARK "
        ">>" +
            Notes().string());
  }

  void Add(const std::string& name, const std::string& script) {
    const std::filesystem::path folder = lab_->directory() / "agent.hooks";
    std::filesystem::create_directory(folder);
    std::ofstream(folder / name) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(folder / name,
                                 std::filesystem::perms::owner_all);
  }

  std::filesystem::path Notes() const { return lab_->directory() / "notes"; }

  std::string ReadNotes() const {
    std::ifstream file(Notes());
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void ExpectNote(const std::string& note) {
    EXPECT_TRUE(
        Eventually([&] { return ReadNotes().find(note) != std::string::npos; },
                   std::chrono::seconds(10)))
        << note << " is not in:\n"
        << ReadNotes();
  }
};

TEST_F(Hook, IsToldWhatHappensToAnUplink) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  AddNote();
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({.learn = true}));
  ExpectNote("up wan1 198.18.1.2 0x1/0xff\n");
  ExpectNote("up wan2 198.18.2.2 0x2/0xff\n");
  ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
  ExpectNote("down wan2");
  ASSERT_TRUE(OnRouter("ip link set wan2 up\n"
                       "ip addr del 198.18.1.2/24 dev wan1\n"
                       "ip addr add 198.18.1.7/24 dev wan1\n"
                       "ip route replace default via 198.18.1.1 dev wan1")
                  .Ok());
  ExpectNote("wan1 198.18.1.7 0x1/0xff\n");
}

TEST_F(Hook, ThatHangsDelaysNoRepair) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  Add("10-hangs", "test $UPLINKD_EVENT = drift && sleep 100");
  AddNote();
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({}));
  const std::string whole = OwnState(lab_->router());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(OnRouter("ip rule del priority 20101").Ok());
    EXPECT_TRUE(Eventually([&] { return OwnState(lab_->router()) == whole; },
                           std::chrono::seconds(2)));
  }
  ASSERT_NO_FATAL_FAILURE(StopAgent());
}

}  // namespace
}  // namespace uplinkd::lab
