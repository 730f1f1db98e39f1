// A disk that is full, read-only or damaged under the agent's state: the kernel
// keeps what it holds, what cannot be kept is refused or told, and what was
// missed is made good once the disk works.
#include <fstream>

#include "tests/lab/agent_lab.h"
#include "tests/lab/small_disk.h"

namespace uplinkd::lab {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

bool IsSaved(const v1::Status& status) {
  const v1::Condition* saved = FindCondition(status, "Saved");
  return saved != nullptr && saved->status() == "True";
}

std::string WhyUnsaved(const v1::Status& status) {
  const v1::Condition* saved = FindCondition(status, "Saved");
  return saved == nullptr ? "" : saved->reason();
}

LabSpec OtherSpec() {
  return {.algorithm = "round-robin", .capacities = {7, 3}, .revision = "2"};
}

class Disk : public AgentLab {
 protected:
  std::filesystem::path State() const {
    return lab_->directory() / "agent.state";
  }

  void BeginOnSmallDisk() {
    ASSERT_NO_FATAL_FAILURE(BuildLab());
    ASSERT_NO_FATAL_FAILURE(AddForeign());
    disk_ = std::make_unique<SmallDisk>(State());
    ASSERT_TRUE(disk_->mounted());
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(Apply(LabSpec{}));
    own_ = OwnState(lab_->router());
    foreign_ = ForeignState(lab_->router(), Counters::kCompare);
  }

  // As after a power cut: nothing is saved on the way out.
  void KillAgent() {
    agent_->process().Signal(SIGKILL);
    ASSERT_EQ(agent_->process().Wait(seconds(20)), 128 + SIGKILL);
    agent_.reset();
  }

  void ExpectRefused(const CommandResult& result, const std::string& words) {
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr(words));
    EXPECT_EQ(OwnState(lab_->router()), own_);
    EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign_);
  }

  std::string WriteSpec(const LabSpec& spec) const {
    std::string path = (lab_->directory() / "router.yaml").string();
    std::ofstream(path) << spec.Text();
    return path;
  }

  void WaitUntilUnsaved(const std::string& reason) {
    ASSERT_NO_FATAL_FAILURE(WaitFor([&](const v1::Status& status) {
      return WhyUnsaved(status) == reason;
    }));
  }

  // A file that cannot be saved is followed, and is saved later.
  void FollowAFileMeanwhile(const std::string& reason,
                            const std::function<void()>& mend) {
    const std::string path = WriteSpec(OtherSpec());
    ASSERT_NO_FATAL_FAILURE(KillAgent());
    ASSERT_NO_FATAL_FAILURE(StartAgent({.arguments = {"--spec", path}}));
    ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
      return InSync(status) && status.observed_generation() == 2;
    }));
    const std::string own_new = OwnState(lab_->router());
    EXPECT_NE(own_new, own_);
    ASSERT_NO_FATAL_FAILURE(WaitUntilUnsaved(reason));
    EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign_);
    mend();
    ASSERT_NO_FATAL_FAILURE(WaitFor(IsSaved));
    // Without the file: what is saved is all that is known.
    ASSERT_NO_FATAL_FAILURE(KillAgent());
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
    EXPECT_EQ(agent_->Status()->generation(), 2U);
    EXPECT_EQ(OwnState(lab_->router()), own_new);
    EXPECT_THAT(agent_->Ctl({"history"}).output, HasSubstr("router.yaml"));
  }

  std::unique_ptr<SmallDisk> disk_;
  std::string own_;
  std::string foreign_;
};

TEST_F(Disk, WhileItIsFullAnApplyIsRefusedAndAFileIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(BeginOnSmallDisk());
  disk_->Fill();
  ExpectRefused(agent_->Ctl({"apply", "-f", WriteSpec(OtherSpec())}),
                "No space left on device");
  ExpectRefused(agent_->Ctl({"drain", "wan1"}), "No space left on device");
  EXPECT_EQ(agent_->Status()->generation(), 1U);
  ASSERT_NO_FATAL_FAILURE(WaitUntilUnsaved("DiskFull"));
  EXPECT_THAT(agent_->Metrics(),
              HasSubstr("uplinkd_condition{type=\"Saved\"} 0"));
  // Asking for metrics was traffic.
  foreign_ = ForeignState(lab_->router(), Counters::kCompare);
  FollowAFileMeanwhile("DiskFull", [&] { disk_->MakeRoom(); });
}

TEST_F(Disk, WhileItIsReadOnlyNothingIsPromisedOrTakenAway) {
  ASSERT_NO_FATAL_FAILURE(BeginOnSmallDisk());
  ASSERT_TRUE(disk_->SetReadOnly(true));
  constexpr const char* kWords = "Read-only file system";
  ExpectRefused(agent_->Ctl({"apply", "-f", WriteSpec(OtherSpec())}), kWords);
  ExpectRefused(agent_->Ctl({"pause", "--for", "1m"}), kWords);
  ExpectRefused(agent_->Ctl({"drain", "wan1"}), kWords);
  ExpectRefused(agent_->Ctl({"cleanup"}), kWords);
  EXPECT_EQ(agent_->Status()->generation(), 1U);
  FollowAFileMeanwhile("DiskReadOnly", [&] { disk_->SetReadOnly(false); });
}

TEST_F(Disk, OneThatBecomesReadOnlyKeepsNoSpecThatNobodyConfirms) {
  ASSERT_NO_FATAL_FAILURE(BeginOnSmallDisk());
  const CommandResult applied =
      agent_->Ctl({"apply", "-f", WriteSpec(OtherSpec()), "--confirm-within",
                   "3s", "--confirm-id", "night"});
  ASSERT_EQ(applied.exit_code, 0) << applied.output;
  ASSERT_TRUE(disk_->SetReadOnly(true));
  const CommandResult confirmed = agent_->Ctl({"confirm", "night"});
  EXPECT_EQ(confirmed.exit_code, 2) << confirmed.output;
  EXPECT_THAT(confirmed.output, HasSubstr("Read-only file system"));
  const auto is_back = [](const v1::Status& status) {
    return InSync(status) && status.observed_generation() == 3;
  };
  ASSERT_NO_FATAL_FAILURE(WaitFor(is_back));
  EXPECT_EQ(OwnState(lab_->router()), own_);
  // Not on disk, and the next agent comes to the same end.
  ASSERT_NO_FATAL_FAILURE(KillAgent());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitFor(is_back));
  EXPECT_EQ(OwnState(lab_->router()), own_);
  EXPECT_FALSE(IsSaved(*agent_->Status()));
  ASSERT_TRUE(disk_->SetReadOnly(false));
  ASSERT_NO_FATAL_FAILURE(WaitFor(IsSaved));
  EXPECT_THAT(agent_->Ctl({"history"}).output, HasSubstr("rolled-back"));
}

struct FileDamage {
  const char* name;
  const char* script;  // for each FILE of the state
  bool kept;           // what was there is kept aside
};

std::ostream& operator<<(std::ostream& stream, const FileDamage& damage) {
  return stream << damage.name;
}

class Damaged : public Disk, public testing::WithParamInterface<FileDamage> {};

TEST_P(Damaged, StateLeavesTheKernelAloneUntilThereIsASpec) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(AddForeign());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply(LabSpec{}));
  ASSERT_EQ(agent_->Ctl({"drain", "wan1"}).exit_code, 0);
  ASSERT_EQ(agent_->Ctl({"pause", "--for", "1h"}).exit_code, 0);
  ASSERT_NO_FATAL_FAILURE(StopAgent());  // the events are on disk, too
  own_ = OwnState(lab_->router());
  foreign_ = ForeignState(lab_->router(), Counters::kCompare);
  const std::vector<std::string> files = {
      "spec.json", "history.json", "drains.json", "pause.json", "events.json"};
  for (const std::string& file : files) {
    const CommandResult damaged =
        OnRouter("cd " + State().string() + "; FILE=" + file +
                 "; test -f $FILE; " + GetParam().script);
    ASSERT_TRUE(damaged.Ok()) << file << damaged.output;
  }

  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(FindCondition(*status, "Accepted")->reason(), "NoSpec");
  EXPECT_EQ(FindCondition(*status, "Paused")->status(), "False");
  EXPECT_EQ(OwnState(lab_->router()), own_);
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign_);
  if (GetParam().kept) {
    EXPECT_THAT(FindCondition(*status, "Accepted")->message(),
                AllOf(HasSubstr("spec.json"), HasSubstr("apply a spec")));
    for (const std::string& file : files) {
      EXPECT_THAT(agent_->Log(),
                  HasSubstr((State() / file).string() + " cannot be used"));
    }
  }
  ASSERT_NO_FATAL_FAILURE(Apply(LabSpec{}));
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign_);
  for (const std::string& file : files) {
    EXPECT_EQ(std::filesystem::exists(State() / (file + ".corrupt")),
              GetParam().kept)
        << file;
  }
  ASSERT_NO_FATAL_FAILURE(KillAgent());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
}

INSTANTIATE_TEST_SUITE_P(
    Disk, Damaged,
    testing::Values(
        FileDamage{"ByZeros", "truncate -s 0 $FILE; truncate -s 4096 $FILE",
                   true},
        FileDamage{"ByADirectory", "rm $FILE; mkdir -p $FILE/lost", true},
        FileDamage{"ByItsMode", "chmod 000 $FILE", true},
        FileDamage{"ByItsLoss", "rm -r $FILE", false}),
    [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace uplinkd::lab
