// The xtables edge where the kernel refuses, lies, or somebody else writes.
//
// Refusals are made by a seccomp filter in a child process: the kernel then
// answers one socket option with the errno that the test wants.
#include <gmock/gmock.h>
#include <libiptc/libiptc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "reconciler/linux/xt_codec.h"
#include "reconciler/linux/xtables.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What `work` returns in a child process.
std::string InChild(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    const std::string text = work();
    const bool sent = write(ends[1], text.data(), text.size()) ==
                      static_cast<ssize_t>(text.size());
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 1024> buffer{};
  for (ssize_t size = 0;
       (size = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << text;
  return text;
}

template <std::size_t kSize>
void Install(std::array<sock_filter, kSize> filter) {
  const sock_fprog program{filter.size(), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    _exit(2);
  }
}

sock_filter Load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

sock_filter SkipUnless(int value, std::uint8_t count) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(value),
                  0, count);
}

sock_filter Refuse(int answer) {
  return BPF_STMT(BPF_RET | BPF_K,
                  SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(answer));
}

// From now on this process gets `answer` for every such system call.
void AnswerAll(int system_call, int answer) {
  Install(std::array{
      Load(offsetof(seccomp_data, nr)),
      SkipUnless(system_call, 1),
      Refuse(answer),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  });
}

// The same for `option` of getsockopt or setsockopt at the IP level.
void Answer(int system_call, int option, int answer) {
  Install(std::array{
      Load(offsetof(seccomp_data, nr)),
      SkipUnless(system_call, 5),
      Load(offsetof(seccomp_data, args[1])),
      SkipUnless(IPPROTO_IP, 3),
      Load(offsetof(seccomp_data, args[2])),
      SkipUnless(option, 1),
      Refuse(answer),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  });
}

std::string Describe(const Outcome& outcome) {
  return std::string(StepResultName(outcome.result)) + " " +
         std::string(ErrorCodeName(outcome.error.code)) + " " +
         outcome.error.message;
}

std::string DescribeRead(Xtables& xtables) {
  const auto tables = xtables.Observe();
  if (tables) return "read";
  return std::string(ErrorCodeName(tables.error().code)) + " " +
         tables.error().message;
}

class XtablesFaults : public NetnsTest {
 protected:
  static XtTableState OneChain() {
    XtTableState state;
    state.chains["UPL-A"] = {ChainRule{}, JumpTo("UPL-B")};
    state.chains["UPL-B"];
    state.jumps[XtHook::kOutput] = {{0, JumpTo("UPL-A")}};
    return state;
  }

  static std::string ObserveMangle() {
    Xtables xtables(1s);
    const auto tables = xtables.Observe();
    if (!tables) return tables.error().message;
    if (tables->at(XtTable::kMangle)->Empty()) return "empty";
    return *tables->at(XtTable::kMangle) == OneChain() ? "one chain"
                                                       : "something";
  }

  // The outcome of building OneChain() in a process that gets `answer`.
  static std::string BuildWith(int system_call, int option, int answer) {
    return InChild([=] {
      Answer(system_call, option, answer);
      Xtables xtables(1s);
      return Describe(
          xtables.Execute(Rebuild(XtTable::kMangle, {}, OneChain())));
    });
  }
};

TEST_F(XtablesFaults, SaysThatTheKernelHasNoLegacyTables) {
  EXPECT_THAT(BuildWith(SYS_getsockopt, IPT_SO_GET_INFO, ENOPROTOOPT),
              AllOf(StartsWith("failed failed-precondition"),
                    HasSubstr("iptables who?"), HasSubstr("(ENOPROTOOPT)"),
                    HasSubstr("this kernel has no legacy iptables tables")));
  EXPECT_THAT(
      BuildWith(SYS_getsockopt, IPT_SO_GET_INFO, ENOENT),
      AllOf(StartsWith("failed failed-precondition"),
            HasSubstr("Table does not exist"), HasSubstr("iptable_mangle")));
  EXPECT_EQ(ObserveMangle(), "empty");
}

TEST_F(XtablesFaults, SaysOnReadingThatTheTablesAreGone) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-A");
  EXPECT_THAT(InChild([] {
                Answer(SYS_getsockopt, IPT_SO_GET_INFO, ENOPROTOOPT);
                Xtables xtables(1s);
                return DescribeRead(xtables);
              }),
              AllOf(StartsWith("failed-precondition cannot read the mangle"),
                    HasSubstr("Protocol not available (ENOPROTOOPT)"),
                    HasSubstr("CONFIG_IP_NF_IPTABLES_LEGACY")));
}

TEST_F(XtablesFaults, SaysThatTheModuleIsMissing) {
  EXPECT_THAT(
      InChild([] {
        // A /proc in which nobody has heard of iptables.
        if (unshare(CLONE_NEWNS) != 0 ||
            mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("none", "/proc", "tmpfs", 0, nullptr) != 0) {
          return std::string("no mounts");
        }
        Xtables xtables(1s);
        std::string words = DescribeRead(xtables);
        // Nor does a read run a program that loads it: it could hang.
        rusage children{};
        getrusage(RUSAGE_CHILDREN, &children);
        return children.ru_maxrss == 0 ? words : "ran a program: " + words;
      }),
      AllOf(StartsWith("failed-precondition"),
            HasSubstr("load the modules ip_tables")));
}

// They are not taken for none.
TEST_F(XtablesFaults, SaysThatTheNamesOfTheTablesCannotBeRead) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-A");
  EXPECT_THAT(InChild([] {
                AnswerAll(SYS_read, EIO);
                Xtables xtables(1s);
                return DescribeRead(xtables);
              }),
              AllOf(HasSubstr("ip_tables_names"), HasSubstr("(EIO)")));
}

TEST_F(XtablesFaults, NamesTheMissingCapability) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-A");
  const auto denied =
      AllOf(HasSubstr("permission-denied"), HasSubstr("(EPERM)"),
            HasSubstr("CAP_NET_ADMIN and CAP_NET_RAW"));
  EXPECT_THAT(InChild([] {
                Xtables xtables(1s);
                if (setuid(65534) != 0) return std::string("still root");
                return DescribeRead(xtables);
              }),
              denied);
  EXPECT_THAT(InChild([] {
                Answer(SYS_getsockopt, IPT_SO_GET_INFO, EPERM);
                Xtables xtables(1s);
                return DescribeRead(xtables);
              }),
              denied);
  EXPECT_THAT(BuildWith(SYS_getsockopt, IPT_SO_GET_INFO, EPERM), denied);
}

TEST_F(XtablesFaults, GivesUpOnATableThatNeverStandsStill) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-A");
  EXPECT_THAT(InChild([] {
                Answer(SYS_getsockopt, IPT_SO_GET_ENTRIES, EAGAIN);
                Xtables xtables(1s);
                return DescribeRead(xtables);
              }),
              AllOf(StartsWith("aborted"), HasSubstr("changed 10 times")));
}

TEST_F(XtablesFaults, BelievesTheTableNotTheReturnCode) {
  // The second system call of a commit fails; the first has done the work.
  EXPECT_THAT(BuildWith(SYS_setsockopt, IPT_SO_SET_ADD_COUNTERS, EINVAL),
              StartsWith("done"));
  EXPECT_EQ(ObserveMangle(), "one chain");
}

TEST_F(XtablesFaults, ReportsACommitThatTheKernelRefused) {
  EXPECT_THAT(BuildWith(SYS_setsockopt, IPT_SO_SET_REPLACE, ENOMEM),
              AllOf(StartsWith("failed resource-exhausted"),
                    HasSubstr("cannot commit the mangle table"),
                    HasSubstr("(ENOMEM)")));
  EXPECT_EQ(ObserveMangle(), "empty");
}

TEST_F(XtablesFaults, CallsACommitThatCameTooLateAConflict) {
  EXPECT_THAT(BuildWith(SYS_setsockopt, IPT_SO_SET_REPLACE, EAGAIN),
              StartsWith("conflict aborted"));
  EXPECT_EQ(ObserveMangle(), "empty");
}

// ---- other writers ----

// Appends one rule to `chain` the way a program does that takes no lock: it
// tries again when the kernel says that the number of rules changed.
void AppendWithoutLock(const std::string& chain) {
  const auto rule = EncodeRule(Family::kIpv4, {});
  ASSERT_TRUE(rule);
  for (;;) {
    xtc_handle* handle = iptc_init("mangle");
    ASSERT_NE(handle, nullptr);
    ASSERT_NE(iptc_append_entry(
                  chain.c_str(),
                  reinterpret_cast<const ipt_entry*>(rule->data()), handle),
              0);
    const bool done = iptc_commit(handle) != 0;
    const int number = errno;
    iptc_free(handle);
    if (done || number == EINVAL) return;  // EINVAL: only counters were lost
    ASSERT_EQ(number, EAGAIN);
  }
}

// The kernel refuses a commit whose reader counted another number of rules, and
// nothing more. While every writer only adds rules that is enough, and nobody's
// rule is lost. A writer without the lock that swaps a rule, or removes one
// while another adds one, can undo what was written between its read and its
// commit; no one can prevent that from outside, and our next pass repairs ours.
TEST_F(XtablesFaults, LosesNothingToAWriterWithoutTheLock) {
  constexpr int kRounds = 200;
  uplinkd::Run("iptables-legacy -t mangle -N theirs");
  Xtables xtables(1s);
  XtTableState empty;
  empty.chains["UPL-A"];
  ASSERT_EQ(xtables.Execute(Rebuild(XtTable::kMangle, {}, empty)).result,
            StepResult::kDone);

  std::thread writer([] {
    for (int i = 0; i < kRounds; ++i) AppendWithoutLock("theirs");
  });
  std::size_t written = 0;
  for (int attempt = 0; written < kRounds && attempt < 100 * kRounds;
       ++attempt) {
    const auto tables = xtables.Observe();
    if (!tables) {
      EXPECT_EQ(tables.error().code, ErrorCode::kAborted);
      continue;
    }
    const Outcome outcome =
        xtables.Execute({XtTable::kMangle,
                         *tables->at(XtTable::kMangle),
                         {InsertRule("UPL-A", written, {})}});
    if (outcome.result == StepResult::kDone) {
      ++written;
    } else {
      EXPECT_EQ(outcome.result, StepResult::kConflict) << outcome.error.message;
    }
  }
  writer.join();

  const auto tables = xtables.Observe();
  ASSERT_TRUE(tables);
  EXPECT_EQ(tables->at(XtTable::kMangle)->chains.at("UPL-A").size(), kRounds);
  EXPECT_EQ(uplinkd::Run("iptables-legacy -t mangle -S theirs | grep -c '^-A'"),
            std::to_string(kRounds) + "\n");
}

TEST_F(XtablesFaults, TakesTurnsWithTheProgram) {
  constexpr int kRounds = 20;
  uplinkd::Run("iptables-legacy -t mangle -N theirs");
  std::thread program([] {
    for (int i = 0; i < kRounds; ++i) {
      // Constant in number: without the lock this would undo our edits.
      uplinkd::Run("iptables-legacy -t mangle -A theirs -p tcp");
      uplinkd::Run("iptables-legacy -t mangle -D theirs 1");
    }
  });
  Xtables xtables(5s);
  XtTableState state;
  for (int i = 0; i < 10 * kRounds; ++i) {
    XtTableState next = state;
    next.chains["UPL-" + std::to_string(i % 3)] = Chain(3);
    next.chains.erase("UPL-" + std::to_string((i + 1) % 3));
    const Outcome outcome =
        xtables.Execute(Rebuild(XtTable::kMangle, state, next));
    EXPECT_EQ(outcome.result, StepResult::kDone) << outcome.error.message;
    state = next;
    std::this_thread::sleep_for(1ms);
  }
  program.join();
  EXPECT_EQ(*xtables.Observe()->at(XtTable::kMangle), state);
}

TEST_F(XtablesFaults, LosesNoCountOfAForeignRule) {
  constexpr int kPackets = 20000;
  uplinkd::Run(
      "iptables-legacy -t mangle -A OUTPUT -p udp -m comment "
      "--comment counted");
  std::thread traffic([] { SendOnLoopback(kPackets); });
  Xtables xtables(5s);
  XtTableState state;
  for (int i = 0; i < 100; ++i) {
    XtTableState next = OneChain();
    next.chains["UPL-B"] = Chain(static_cast<std::size_t>(i % 5));
    ASSERT_EQ(xtables.Execute(Rebuild(XtTable::kMangle, state, next)).result,
              StepResult::kDone);
    state = next;
  }
  traffic.join();
  EXPECT_THAT(uplinkd::Run("iptables-legacy-save -c -t mangle | grep counted"),
              StartsWith("[" + std::to_string(kPackets) + ":"));
}

}  // namespace
}  // namespace uplinkd
