// What the doctor reads from files, in a directory that stands for "/".
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "reconciler/linux/host_networkd.h"
#include "reconciler/linux/host_table_names.h"

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HostFilesTest : public ::testing::Test {
 protected:
  HostFilesTest() {
    std::string path = "/tmp/uplinkd-root-XXXXXX";
    root_ = mkdtemp(path.data());
  }
  ~HostFilesTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) const {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void Link(const std::string& name, const std::string& target) const {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    fs::create_symlink(target, path);
  }
  std::vector<TableName> Names() const {
    return ReadTableNames(root_ / "etc/iproute2", root_);
  }
  bool KeepsRules() const { return ReadNetworkd(root_).keeps_rules; }
  bool KeepsRoutes() const { return ReadNetworkd(root_).keeps_routes; }

  fs::path root_;
};

constexpr const char* kKeepRules =
    "[Network]\nManageForeignRoutingPolicyRules=no\n";
constexpr const char* kDeleteRules =
    "[Network]\nManageForeignRoutingPolicyRules=yes\n";

TEST_F(HostFilesTest, FindsNoNetworkdOnABareHost) {
  EXPECT_EQ(ReadNetworkd(root_), NetworkdFacts());
}

TEST_F(HostFilesTest, FindsNetworkdRunningByItsProcesses) {
  const std::string unit = "system.slice/systemd-networkd.service/cgroup.procs";
  Write("sys/fs/cgroup/" + unit, "");
  EXPECT_FALSE(ReadNetworkd(root_).running);
  Write("sys/fs/cgroup/" + unit, "412\n");
  EXPECT_TRUE(ReadNetworkd(root_).running);
}

TEST_F(HostFilesTest, FindsNetworkdRunningInTheOldHierarchy) {
  Write(
      "sys/fs/cgroup/systemd/system.slice/systemd-networkd.service/"
      "cgroup.procs",
      "412\n");
  EXPECT_TRUE(ReadNetworkd(root_).running);
}

TEST_F(HostFilesTest, FindsNetworkdEnabledAtBoot) {
  Link("etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
       "/lib/systemd/system/systemd-networkd.service");
  EXPECT_TRUE(ReadNetworkd(root_).enabled);
}

TEST_F(HostFilesTest, ReadsTheMainFile) {
  Write("etc/systemd/networkd.conf",
        "# comment\n[DHCPv4]\nManageForeignRoutes=no\n\n[Network]\n"
        " ManageForeignRoutingPolicyRules = false \n#ManageForeignRoutes=no\n");
  EXPECT_TRUE(KeepsRules());
  EXPECT_FALSE(KeepsRoutes());
}

TEST_F(HostFilesTest, TakesTheFirstMainFileOnly) {
  Write("usr/lib/systemd/networkd.conf", kKeepRules);
  EXPECT_TRUE(KeepsRules());
  Write("etc/systemd/networkd.conf", "[Network]\n");
  EXPECT_FALSE(KeepsRules());
}

TEST_F(HostFilesTest, LetsDropInsOverrideTheMainFile) {
  Write("etc/systemd/networkd.conf", kDeleteRules);
  Write("usr/lib/systemd/networkd.conf.d/10-keep.conf", kKeepRules);
  EXPECT_TRUE(KeepsRules());
}

TEST_F(HostFilesTest, ReadsDropInsInTheOrderOfTheirNames) {
  Write("etc/systemd/networkd.conf.d/10.conf", kKeepRules);
  Write("usr/lib/systemd/networkd.conf.d/20.conf", kDeleteRules);
  EXPECT_FALSE(KeepsRules());
  Write("run/systemd/networkd.conf.d/30.conf",
        "[Network]\nManageForeignRoutes=0\n");
  EXPECT_FALSE(KeepsRules());
  EXPECT_TRUE(KeepsRoutes());
}

TEST_F(HostFilesTest, LetsAStrongerDirectoryHideADropIn) {
  Write("usr/lib/systemd/networkd.conf.d/10.conf", kKeepRules);
  EXPECT_TRUE(KeepsRules());
  Link("etc/systemd/networkd.conf.d/10.conf", "/dev/null");
  EXPECT_FALSE(KeepsRules());
}

TEST_F(HostFilesTest, IgnoresFilesThatAreNoDropIns) {
  Write("etc/systemd/networkd.conf.d/10.conf.bak", kKeepRules);
  EXPECT_FALSE(KeepsRules());
}

TEST_F(HostFilesTest, ReadsTableNames) {
  Write("etc/iproute2/rt_tables", "# reserved\n254\tmain\n\n 11 wan1 # dsl\n");
  Write("etc/iproute2/rt_tables.d/vpn.conf", "0x63 vpn\n");
  const std::string directory = (root_ / "etc/iproute2/").string();
  EXPECT_THAT(
      Names(),
      ElementsAre(TableName{11, "wan1", directory + "rt_tables"},
                  TableName{99, "vpn", directory + "rt_tables.d/vpn.conf"},
                  TableName{254, "main", directory + "rt_tables"}));
}

// As ip(8) reads them.
TEST_F(HostFilesTest, LetsTableNamesOfTheSiteReplaceThoseOfTheDistribution) {
  Write("usr/share/iproute2/rt_tables", "254 main\n");
  Write("usr/lib/iproute2/rt_tables.d/a.conf", "11 a\n");
  Write("usr/lib/iproute2/rt_tables.d/b.conf", "12 b\n");
  const std::string lib = (root_ / "usr/lib/iproute2/rt_tables.d/").string();
  EXPECT_THAT(
      Names(),
      ElementsAre(
          TableName{11, "a", lib + "a.conf"},
          TableName{12, "b", lib + "b.conf"},
          TableName{254, "main",
                    (root_ / "usr/share/iproute2/rt_tables").string()}));
  Write("etc/iproute2/rt_tables", "");
  Write("etc/iproute2/rt_tables.d/a.conf", "");
  EXPECT_THAT(Names(), ElementsAre(TableName{12, "b", lib + "b.conf"}));
}

TEST_F(HostFilesTest, LeavesOutOurOwnTableNames) {
  Write("etc/iproute2/rt_tables.d/uplinkd.conf", "11 wan1\n");
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(HostFilesTest, SkipsLinesThatNameNoTable) {
  Write("etc/iproute2/rt_tables", "wan1 11\n12\n13x dsl\n");
  EXPECT_THAT(Names(), IsEmpty());
}

}  // namespace
}  // namespace uplinkd
