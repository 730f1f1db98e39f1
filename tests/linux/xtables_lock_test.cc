// The lock that all iptables programs share, and the hint that its file gives.
#include "reconciler/linux/xtables_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <string>
#include <thread>

#include "reconciler/linux/xtables.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

// Another process that holds the lock until this goes.
class OtherHolder {
 public:
  explicit OtherHolder(const std::string& path) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const int fd = open(path.c_str(), O_RDONLY | O_CREAT, 0600);
      const bool locked = flock(fd, LOCK_EX) == 0;
      if (!locked || write(ready[1], "x", 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  OtherHolder(const OtherHolder&) = delete;
  OtherHolder& operator=(const OtherHolder&) = delete;
  ~OtherHolder() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class XtablesLockTest : public NetnsTest {
 protected:
  // Whether somebody else could have the lock now.
  bool IsFree() const {
    return RunCommand("flock -n " + lock_path_ + " true").status == 0;
  }

  XtablesLock lock_;
};

TEST_F(XtablesLockTest, TakesTheFileThatTheProgramsTake) {
  EXPECT_EQ(XtablesLockPath(), lock_path_);
  {
    const auto held = lock_.Acquire(0ms);
    ASSERT_TRUE(held);
    EXPECT_FALSE(IsFree());
    const CommandResult blocked =
        RunCommand("iptables-legacy -w 1 -t mangle -L");
    EXPECT_THAT(blocked.output, HasSubstr("xtables lock"));
    EXPECT_EQ(blocked.status, 4);
  }
  EXPECT_TRUE(IsFree());
  EXPECT_EQ(lock_.waits().counts.back(), 0U);
  EXPECT_LT(lock_.waits().sum, 0.1);
  EXPECT_EQ(lock_.timeouts(), 0U);
}

TEST_F(XtablesLockTest, HasTheProgramsDefault) {
  unsetenv("XTABLES_LOCKFILE");
  EXPECT_EQ(XtablesLockPath(), "/run/xtables.lock");
  setenv("XTABLES_LOCKFILE", "", 1);
  EXPECT_EQ(XtablesLockPath(), "/run/xtables.lock");
  setenv("XTABLES_LOCKFILE", lock_path_.c_str(), 1);
}

TEST_F(XtablesLockTest, GivesUpAndNamesTheHolder) {
  const OtherHolder other(lock_path_);
  const auto start = steady_clock::now();
  const auto held = lock_.Acquire(150ms);
  const auto took = steady_clock::now() - start;
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(held.error().message,
              HasSubstr("(pid " + std::to_string(other.pid()) + ")"));
  EXPECT_THAT(held.error().message, HasSubstr("for more than 150 ms"));
  EXPECT_GE(took, 150ms);
  EXPECT_LT(took, 1s);
  EXPECT_GE(lock_.waits().sum, 0.15);
  EXPECT_EQ(lock_.timeouts(), 1U);
}

TEST_F(XtablesLockTest, WaitsUntilTheHolderIsDone) {
  auto other = std::make_unique<OtherHolder>(lock_path_);
  std::thread release([&] {
    std::this_thread::sleep_for(100ms);
    other.reset();
  });
  const auto held = lock_.Acquire(5s);
  release.join();
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_GE(lock_.waits().sum, 0.09);
  EXPECT_LT(lock_.waits().sum, 2);
  EXPECT_EQ(std::accumulate(lock_.waits().counts.begin(),
                            lock_.waits().counts.end(), std::uint64_t{0}),
            1U);
  EXPECT_EQ(lock_.timeouts(), 0U);
}

TEST_F(XtablesLockTest, FollowsAReplacedFile) {
  ASSERT_TRUE(lock_.Acquire(0ms));
  uplinkd::Run("rm " + lock_path_ + " && touch " + lock_path_);
  const auto held = lock_.Acquire(0ms);
  ASSERT_TRUE(held);
  EXPECT_FALSE(IsFree());
}

TEST_F(XtablesLockTest, SaysWhyTheFileCannotBeOpened) {
  setenv("XTABLES_LOCKFILE", "/nowhere/xtables.lock", 1);
  const auto held = lock_.Acquire(0ms);
  const auto watch = LockWatch::Open();
  setenv("XTABLES_LOCKFILE", lock_path_.c_str(), 1);
  ASSERT_FALSE(held);
  EXPECT_THAT(held.error().message,
              HasSubstr("/nowhere/xtables.lock: No such file or directory"));
  EXPECT_FALSE(watch);
}

// ---- LockWatch ----

class LockWatchTest : public NetnsTest {
 protected:
  LockWatchTest() {
    auto watch = LockWatch::Open();
    EXPECT_TRUE(watch);
    watch_ = std::move(*watch);
  }

  // Whether the watch becomes readable soon.
  bool Wakes() {
    pollfd ready{watch_->fd(), POLLIN, 0};
    return poll(&ready, 1, 200) == 1;
  }

  std::unique_ptr<LockWatch> watch_;
};

TEST_F(LockWatchTest, SeesTheProgramWrite) {
  EXPECT_FALSE(watch_->Drain());
  uplinkd::Run("iptables-legacy -t mangle -A PREROUTING -i lo");
  EXPECT_TRUE(Wakes());
  EXPECT_TRUE(watch_->Drain());
  EXPECT_FALSE(watch_->Drain());
}

TEST_F(LockWatchTest, DoesNotSeeOurOwnEdits) {
  Xtables xtables(1s);
  for (int i = 0; i < 3; ++i) {
    XtTableState before;
    if (i > 0) before.chains["UPL-" + std::to_string(i - 1)];
    XtTableState after;
    after.chains["UPL-" + std::to_string(i)];
    ASSERT_EQ(xtables.Execute(Rebuild(XtTable::kMangle, before, after)).result,
              StepResult::kDone);
    ASSERT_TRUE(xtables.Observe());
  }
  EXPECT_FALSE(watch_->Drain());
}

TEST_F(LockWatchTest, CreatesTheFileAndFollowsAReplacedOne) {
  for (int i = 0; i < 3; ++i) {
    uplinkd::Run("rm " + lock_path_);
    EXPECT_TRUE(watch_->Drain());
    uplinkd::Run("iptables-legacy -t mangle -A PREROUTING -i lo");
    EXPECT_TRUE(Wakes());
    EXPECT_TRUE(watch_->Drain());
  }
}

TEST_F(LockWatchTest, FollowsAFileThatIsReplacedWhileItIsOpen) {
  XtablesLock lock;
  ASSERT_TRUE(lock.Acquire(0ms));
  uplinkd::Run("touch " + lock_path_ + ".new && mv " + lock_path_ + ".new " +
               lock_path_);
  EXPECT_TRUE(Wakes());
  EXPECT_TRUE(watch_->Drain());
  uplinkd::Run("iptables-legacy -t mangle -A PREROUTING -i lo");
  EXPECT_TRUE(Wakes());
  EXPECT_TRUE(watch_->Drain());
}

}  // namespace
}  // namespace uplinkd
