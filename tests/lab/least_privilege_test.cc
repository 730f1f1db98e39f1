// The agent as the package runs it: an ordinary user with two capabilities.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

// A user and a group that own nothing on this machine.
constexpr int kSomebody = 64211;

// Probes of every kind, every reason for a module of the kernel or a question
// to it: a rule by user, an ipset, a budget, affinity, and the router's own.
constexpr const char* kEverything = R"(
apiVersion: uplinkd/v1
kind: Router
metadata: {name: lab}
spec:
  lans:
    - {interface: lan0, networks: [192.168.10.0/24]}
  uplinks:
    - name: wan1
      interface: wan1
      family: both
      address6: "2001:db8:1::2"
      gateway6: "2001:db8:1::1"
      capacity: {download: 10mbit}
      health:
        probes:
          - {icmp: 198.18.1.1}
          - {arp: gateway}
          - {tcp: "203.0.113.10:7000"}
          - {dns: {server: 198.18.1.1, name: www.example.net}}
          - {http: {url: "http://198.18.1.1/"}}
        quorum: 3
    - {name: wan2, interface: wan2, capacity: {download: 10mbit}}
  policies:
    - {name: few, algorithm: least-connections, affinity: {by: source}}
    - {name: turns, algorithm: round-robin}
    - {name: coins, algorithm: source-hash}
    - {name: rates, algorithm: least-loaded}
  traffic:
    - {name: set, match: {destinationSet: known}, use: turns}
    - {name: budget, match: {protocol: udp, limit: {rate: 10/second}}, use: coins}
    - {name: user, match: {uid: ["1000-1999"]}, use: few}
  balance: {algorithm: weighted-random}
  local: {use: balance}
)";

bool LacksPermission(const v1::Status& status) {
  const v1::Condition* programmed = FindCondition(status, "Programmed");
  return programmed != nullptr && programmed->reason() == "PermissionDenied";
}

class LeastPrivilege : public AgentLab {
 protected:
  // What the unit and its tmpfiles.d do as root, in the lab's own files.
  void PrepareAsRoot() {
    const std::string group = std::to_string(kSomebody);
    const std::string lab = lab_->directory().string();
    const CommandResult prepared =
        OnRouter("chgrp " + group +
                 " /proc/net/ip_tables_names /proc/net/ip6_tables_names\n"
                 "touch $XTABLES_LOCKFILE\n"
                 "chown root:" +
                 group +
                 " $XTABLES_LOCKFILE\n"
                 "chmod 0640 $XTABLES_LOCKFILE\n"
                 "chown " +
                 group + ":" + group + " " + lab);
    ASSERT_TRUE(prepared.Ok()) << prepared.output;
  }

  struct Restrictions {
    std::string capabilities = "+net_admin,+net_raw";
    std::string groups = "--clear-groups";
    std::string unit_filter = "";  // its arguments before the program; "": none
  };

  // The programs come in as file descriptors, wherever the build directory
  // is.
  static std::vector<std::string> AsSomebody(const Restrictions& restrictions) {
    const std::string id = std::to_string(kSomebody);
    const std::string& capabilities = restrictions.capabilities;
    const std::string program = restrictions.unit_filter.empty()
                                    ? "/proc/self/fd/9"
                                    : "/proc/self/fd/8 " +
                                          restrictions.unit_filter +
                                          " /proc/self/fd/9";
    return {"sh", "-c",
            "exec 8<" UPLINKD_UNIT_FILTER
            " 9<\"$0\"\n"
            "exec setpriv --reuid " +
                id + " --regid " + id + " " + restrictions.groups +
                " --no-new-privs --inh-caps=-all," + capabilities +
                " --ambient-caps=-all," + capabilities +
                " --bounding-set=-all," + capabilities + " sh -c 'exec " +
                program + " \"$@\"' uplinkd \"$@\""};
  }

  // With the agent that runs.
  void DoAllThatASpecCanAsk() {
    ASSERT_TRUE(OnRouter("ipset create known hash:ip\n"
                         "ip addr add 2001:db8:1::2/64 dev wan1 nodad")
                    .Ok());
    const Result<v1::ApplyResponse> applied = agent_->Apply(kEverything);
    ASSERT_TRUE(applied) << applied.error().message;
    // ICMP, ARP and TCP answer. No probe lacks a right.
    WaitFor([](const v1::Status& status) {
      return status.uplinks(0).health().state() == "Up";
    });
    const Result<v1::Status> status = agent_->Status();
    ASSERT_TRUE(status);
    EXPECT_THAT(status->ShortDebugString(),
                testing::Not(testing::HasSubstr("not permitted")));
    EXPECT_THAT(status->ShortDebugString(),
                testing::Not(testing::HasSubstr("ermission")));
    const auto shares = Shares(40);
    EXPECT_GT(shares.at(UplinkAddress(1)), 5);
    EXPECT_GT(shares.at(UplinkAddress(2)), 5);
    // It sees what others do, and repairs it.
    const std::string whole = OwnStateWithoutChoice(lab_->router());
    ASSERT_TRUE(OnRouter("ip rule del priority 20101\n"
                         "iptables-legacy -t mangle -F UPL-NEW")
                    .Ok());
    EXPECT_TRUE(Eventually(
        [&] { return OwnStateWithoutChoice(lab_->router()) == whole; },
        std::chrono::seconds(5)))
        << agent_->Log();
    // A lost uplink: its connections are found and cut.
    ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
    WaitForPhase("wan2", "Waiting");
    EXPECT_EQ(SourceOf({}), UplinkAddress(1));
    const Result<v1::CleanupResponse> cleaned = agent_->Cleanup();
    ASSERT_TRUE(cleaned) << cleaned.error().message;
    EXPECT_THAT(agent_->Log(), testing::Not(testing::HasSubstr("ermission")));
  }

  // The values of `key` in the unit that is in the package.
  static std::vector<std::string> OfUnit(const std::string& key) {
    std::vector<std::string> values;
    std::ifstream unit(UPLINKD_UNIT);
    for (std::string line; std::getline(unit, line);) {
      if (line.starts_with(key + "=")) {
        values.push_back(line.substr(key.size() + 1));
      }
    }
    EXPECT_FALSE(values.empty()) << key;
    return values;
  }

  // The system calls of `name`, which is one or a set of systemd's.
  std::set<std::string> CallsOf(const std::string& name) const {
    if (!name.starts_with("@")) return {name};
    const CommandResult listed =
        OnRouter("systemd-analyze --no-pager syscall-filter " + name);
    EXPECT_TRUE(listed.Ok()) << listed.output;
    std::set<std::string> calls;
    std::istringstream lines(listed.output);
    for (std::string line, word; std::getline(lines, line);) {
      std::istringstream words(line);
      // The set itself, then a comment, then what is in it.
      if (!(words >> word) || word == name || word.starts_with("#")) continue;
      calls.merge(CallsOf(word));
    }
    EXPECT_FALSE(calls.empty()) << name;
    return calls;
  }

  static std::string Joined(const std::set<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
      text += (text.empty() ? "" : ",") + word;
    }
    return text;
  }

  // For unit_filter: what the unit says, line after line as systemd reads it.
  std::string UnitFilter() const {
    std::set<std::string> calls = CallsOf("@default");
    for (std::string line : OfUnit("SystemCallFilter")) {
      const bool out = line.starts_with("~");
      std::istringstream words(line.substr(out ? 1 : 0));
      for (std::string word; words >> word;) {
        for (const std::string& call : CallsOf(word)) {
          if (out) {
            calls.erase(call);
          } else {
            calls.insert(call);
          }
        }
      }
    }
    std::istringstream words(OfUnit("RestrictAddressFamilies").front());
    const std::set<std::string> families(
        std::istream_iterator<std::string>(words), {});
    return OfUnit("SystemCallErrorNumber").front() + " " + Joined(calls) + " " +
           Joined(families);
  }

  std::string OfAgent(const std::string& key) {
    std::ifstream status("/proc/" + std::to_string(agent_->process().pid()) +
                         "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
    }
    return "";
  }
};

TEST_F(LeastPrivilege, IsEnoughForAllThatASpecCanAsk) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(PrepareAsRoot());
  ASSERT_NO_FATAL_FAILURE(StartAgent({.wrapper = AsSomebody({})}));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(OfAgent(set), "0000000000003000") << set;
  }
  EXPECT_EQ(OfAgent("NoNewPrivs"), "1");
  EXPECT_THAT(OfAgent("Uid"), testing::StartsWith("64211\t64211\t64211"));
  ASSERT_NO_FATAL_FAILURE(DoAllThatASpecCanAsk());
}

TEST_F(LeastPrivilege, TheFilterOfTheUnitLetsAllOfItThrough) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(PrepareAsRoot());
  ASSERT_NO_FATAL_FAILURE(
      StartAgent({.wrapper = AsSomebody({.unit_filter = UnitFilter()})}));
  EXPECT_EQ(OfAgent("Seccomp"), "2");
  ASSERT_NO_FATAL_FAILURE(DoAllThatASpecCanAsk());
}

// As with SupplementaryGroups=: without a capability a file goes to a group of
// the process alone.
TEST_F(LeastPrivilege, UnderTheFilterTheSocketGoesToAGroupOfTheAgent) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(PrepareAsRoot());
  constexpr gid_t kDaemon = 1;
  ASSERT_NO_FATAL_FAILURE(StartAgent(
      {.wrapper = AsSomebody({.groups = "--groups " + std::to_string(kDaemon),
                              .unit_filter = UnitFilter()}),
       .arguments = {"--socket-group", "daemon"}}));
  struct stat there {};
  ASSERT_EQ(stat((lab_->directory() / "agent.sock").c_str(), &there), 0);
  EXPECT_EQ(there.st_gid, kDaemon);
  EXPECT_EQ(there.st_mode & 0777U, 0660U);
}

// Which of the two is for what, so that nobody grants one too many.
TEST_F(LeastPrivilege, LessIsNotEnough) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(PrepareAsRoot());
  ASSERT_NO_FATAL_FAILURE(
      StartAgent({.wrapper = AsSomebody({.capabilities = "+net_raw"})}));
  ASSERT_TRUE(agent_->Apply(kEverything, std::chrono::milliseconds(0)));
  WaitFor(LacksPermission);
  agent_.reset();
  ASSERT_NO_FATAL_FAILURE(
      StartAgent({.wrapper = AsSomebody({.capabilities = "+net_admin"}),
                  .name = "without-raw"}));
  ASSERT_TRUE(agent_->Apply(kEverything, std::chrono::milliseconds(0)));
  WaitFor(LacksPermission);
}

// The files that root has to open to the agent, named one by one.
TEST_F(LeastPrivilege, SaysWhichFileIsClosedToIt) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_TRUE(OnRouter("chown 64211 " + lab_->directory().string() +
                       "\n"
                       "touch $XTABLES_LOCKFILE\nchmod 0600 $XTABLES_LOCKFILE")
                  .Ok());
  ASSERT_NO_FATAL_FAILURE(StartAgent({.wrapper = AsSomebody({})}));
  ASSERT_TRUE(agent_->Apply(kEverything, std::chrono::milliseconds(0)));
  WaitFor([](const v1::Status& status) {
    return status.ShortDebugString().find("ip_tables_names") !=
           std::string::npos;
  });
  ASSERT_TRUE(OnRouter("chgrp 64211 /proc/net/ip_tables_names "
                       "/proc/net/ip6_tables_names")
                  .Ok());
  WaitFor([](const v1::Status& status) {
    return status.ShortDebugString().find("tmpfiles.d/uplinkd.conf") !=
           std::string::npos;
  });
  ASSERT_TRUE(OnRouter("chown :64211 $XTABLES_LOCKFILE\n"
                       "chmod 0640 $XTABLES_LOCKFILE")
                  .Ok());
  WaitFor(InSync, std::chrono::seconds(20));
}

}  // namespace
}  // namespace uplinkd::lab
