// The unchanged check: what wakes the decoder, what does not, what it costs.
#include "reconciler/linux/xt_snapshot.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/linux/xt_codec_blob.h"
#include "reconciler/linux/xt_editor.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

class XtSnapshotTest : public NetnsTest {
 protected:
  XtSnapshotTest()
      : socket_(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)) {}

  const XtTableState& Read() {
    const Result<void> read = snapshot_.Read(socket_.get());
    EXPECT_TRUE(read) << read.error().message;
    return *snapshot_.state();
  }

  static void Iptables(const std::string& words) {
    uplinkd::Run("iptables-legacy -t mangle " + words);
  }

  static void Write(const XtTableState& wanted) {
    Result<XtEditor> editor = XtEditor::Open(XtTable::kMangle);
    ASSERT_TRUE(editor);
    for (const ChainEdit& edit :
         Rebuild(XtTable::kMangle, editor->Decode(), wanted).edits) {
      ASSERT_TRUE(editor->Apply(edit));
    }
    ASSERT_TRUE(editor->Commit());
  }

  // `count` rules that are not ours, in two chains of the table.
  static void LoadForeignRules(int count) {
    const std::string path = ::testing::TempDir() + "uplinkd-foreign-rules";
    std::ofstream file(path);
    file << "*mangle\n:theirs - [0:0]\n:zebra - [0:0]\n";
    for (int i = 0; i < count; ++i) {
      file << "-A " << (i % 2 == 0 ? "theirs" : "zebra") << " -s 10." << i / 256
           << "." << i % 256 << ".1/32 -p tcp -j MARK --set-xmark " << i
           << "/0xff00\n";
    }
    file << "COMMIT\n";
    file.close();
    uplinkd::Run("iptables-legacy-restore -n < " + path + "; rm " + path);
  }

  UniqueFd socket_;
  XtSnapshot snapshot_{XtTable::kMangle};
};

TEST_F(XtSnapshotTest, DoesNotCareForCounters) {
  XtTableState state;
  state.chains["UPL-A"] = {JumpTo("UPL-B"), {}};
  state.chains["UPL-B"] = {{}};
  state.jumps[XtHook::kOutput] = {{0, JumpTo("UPL-A")}};
  Write(state);
  Iptables("-A PREROUTING -i lo");
  EXPECT_EQ(Read(), state);
  EXPECT_EQ(snapshot_.version(), 1U);

  const std::string before = uplinkd::Run("iptables-legacy-save -c -t mangle");
  SendOnLoopback(3);
  EXPECT_NE(uplinkd::Run("iptables-legacy-save -c -t mangle"), before);
  EXPECT_EQ(Read(), state);
  EXPECT_EQ(snapshot_.version(), 1U);
}

TEST_F(XtSnapshotTest, CountsTheFatesThatWereGiven) {
  Read();
  EXPECT_TRUE(snapshot_.FatesGiven().empty());
  const Mark fate{0x1, 0xff};
  ChainRule set;
  set.target = SetMarkTarget{fate};
  XtTableState state;
  state.chains["UPL-MARK-1"] = {set};
  state.jumps[XtHook::kOutput] = {{0, JumpTo("UPL-MARK-1")}};
  Write(state);
  Iptables("-A OUTPUT -j MARK --set-xmark 0x2/0xff");  // not ours
  EXPECT_EQ(Read(), state);
  EXPECT_EQ(snapshot_.FatesGiven().at(fate), 0U);
  SendOnLoopback(3);
  EXPECT_EQ(Read(), state);
  // Nobody listens, so an ICMP error goes out for each of the three.
  EXPECT_EQ(snapshot_.FatesGiven().at(fate), 6U);
  EXPECT_EQ(snapshot_.FatesGiven().size(), 1U);
}

TEST_F(XtSnapshotTest, NoticesAnEditThatKeepsTheSize) {
  Iptables("-N UPL-A");
  Iptables("-A UPL-A -j MARK --set-xmark 1/0xff");
  const XtTableState first = Read();
  Iptables("-R UPL-A 1 -j MARK --set-xmark 2/0xff");
  const XtTableState second = Read();
  EXPECT_EQ(snapshot_.version(), 2U);
  Chain changed(1);
  changed[0].target = SetMarkTarget{{2, 0xff}};
  EXPECT_NE(first, second);
  EXPECT_EQ(second.chains.at("UPL-A"), changed);
}

TEST_F(XtSnapshotTest, NoticesAJumpThatMovedBehindAForeignRule) {
  Iptables("-N UPL-A");
  Iptables("-A POSTROUTING -j UPL-A");
  EXPECT_EQ(Read().jumps.at(XtHook::kPostrouting).at(0).position, 0U);
  Iptables("-I POSTROUTING -p tcp");
  EXPECT_EQ(Read().jumps.at(XtHook::kPostrouting).at(0).position, 1U);
  Iptables("-A POSTROUTING -j UPL-A");
  EXPECT_EQ(Read().jumps.at(XtHook::kPostrouting).size(), 2U);
  EXPECT_EQ(snapshot_.version(), 3U);
}

TEST_F(XtSnapshotTest, SeesOnlyWhatIsOurs) {
  Iptables("-N theirs");
  Iptables("-A theirs -p tcp -j ACCEPT");
  Iptables("-A PREROUTING -j theirs");
  Iptables("-A INPUT -p udp -j DROP");
  Iptables("-P FORWARD DROP");
  EXPECT_TRUE(Read().Empty());
}

// Two decoders look at one table: ours at the dump, libiptc at its own copy.
TEST_F(XtSnapshotTest, AgreesWithLibiptcOnAnyTable) {
  std::mt19937 random(7);
  for (std::size_t count = 1; count <= 1000; count *= 10) {
    Write(RandomState(XtTable::kMangle, count, random));
    Iptables("-I POSTROUTING -s 10.0.0." + std::to_string(count % 250));
    Iptables("-N foreign" + std::to_string(count));
    const XtTableState state = Read();
    Result<XtEditor> editor = XtEditor::Open(XtTable::kMangle);
    ASSERT_TRUE(editor);
    EXPECT_EQ(state, editor->Decode());
    EXPECT_EQ(state.jumps.at(XtHook::kPostrouting).at(0).position, 1U);
  }
}

// ---- raw dumps ----

struct Dump {
  ipt_getinfo info{};
  std::vector<std::byte> bytes;  // the request, then the entries

  std::span<std::byte> entries() {
    return std::span(bytes).subspan(sizeof(ipt_get_entries));
  }
};

// Into memory that holds `junk` in every byte.
Dump RawDump(int socket, std::byte junk) {
  Dump dump;
  std::strcpy(dump.info.name, "mangle");
  socklen_t size = sizeof dump.info;
  EXPECT_EQ(getsockopt(socket, IPPROTO_IP, IPT_SO_GET_INFO, &dump.info, &size),
            0);
  dump.bytes.assign(sizeof(ipt_get_entries) + dump.info.size, junk);
  auto* request = reinterpret_cast<ipt_get_entries*>(dump.bytes.data());
  std::memcpy(request->name, dump.info.name, sizeof request->name);
  request->size = dump.info.size;
  size = static_cast<socklen_t>(dump.bytes.size());
  EXPECT_EQ(getsockopt(socket, IPPROTO_IP, IPT_SO_GET_ENTRIES,
                       dump.bytes.data(), &size),
            0);
  return dump;
}

TEST_F(XtSnapshotTest, IgnoresJunkBehindTheNames) {
  std::mt19937 random(11);
  const XtTableState state = RandomState(XtTable::kMangle, 200, random);
  Write(state);
  Dump one = RawDump(socket_.get(), std::byte{0x33});
  Dump other = RawDump(socket_.get(), std::byte{0xcc});
  // The kernel does leave them unwritten; else this test shows nothing.
  ASSERT_FALSE(std::ranges::equal(one.entries(), other.entries()));
  EXPECT_EQ(DecodeBlob(Family::kIpv4, one.info, one.entries()).state, state);

  ASSERT_TRUE(ClearNameTails(Family::kIpv4, one.entries()));
  ASSERT_TRUE(ClearNameTails(Family::kIpv4, other.entries()));
  EXPECT_TRUE(std::ranges::equal(one.entries(), other.entries()));
  EXPECT_EQ(DecodeBlob(Family::kIpv4, one.info, one.entries()).state, state);
}

TEST_F(XtSnapshotTest, RefusesADamagedDump) {
  Iptables("-A PREROUTING -p tcp -m mark --mark 1 -j MARK --set-mark 2");
  const Dump good = RawDump(socket_.get(), std::byte{0});
  const auto entry = [](Dump& dump) {
    return reinterpret_cast<ipt_entry*>(dump.entries().data());
  };
  const auto refused = [](Dump& dump) {
    const auto sound = ClearNameTails(Family::kIpv4, dump.entries());
    return !sound && sound.error().code == ErrorCode::kInternal;
  };
  Dump bad = good;
  EXPECT_FALSE(refused(bad));
  entry(bad)->next_offset = 0;
  EXPECT_TRUE(refused(bad));
  bad = good;
  entry(bad)->next_offset = 0xfff8;
  EXPECT_TRUE(refused(bad));
  bad = good;
  entry(bad)->target_offset = 8;
  EXPECT_TRUE(refused(bad));
  bad = good;
  reinterpret_cast<xt_entry_match*>(entry(bad)->elems)->u.match_size = 4;
  EXPECT_TRUE(refused(bad));
  bad = good;
  reinterpret_cast<xt_entry_match*>(entry(bad)->elems)->u.match_size = 0xfff8;
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.bytes.resize(bad.bytes.size() - 8);
  EXPECT_TRUE(refused(bad));
}

// ---- cost ----

std::chrono::nanoseconds TimeOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::steady_clock::now() - start;
}

TEST_F(XtSnapshotTest, CostsLittleMoreThanTheKernelsDump) {
  LoadForeignRules(10000);
  std::mt19937 random(5);
  const XtTableState state = RandomState(XtTable::kMangle, 200, random);
  Write(state);
  ASSERT_EQ(Read(), state);

  Dump buffer = RawDump(socket_.get(), std::byte{0});
  const auto dump = [&] {
    socklen_t size = sizeof buffer.info;
    getsockopt(socket_.get(), IPPROTO_IP, IPT_SO_GET_INFO, &buffer.info, &size);
    size = static_cast<socklen_t>(buffer.bytes.size());
    getsockopt(socket_.get(), IPPROTO_IP, IPT_SO_GET_ENTRIES,
               buffer.bytes.data(), &size);
  };
  // The best of each, in turns: a machine may be slow for a while.
  auto floor = std::chrono::nanoseconds::max();
  auto read = floor;
  for (int i = 0; i < 100; ++i) {
    floor = std::min(floor, TimeOf(dump));
    read = std::min(read, TimeOf([&] { Read(); }));
  }
  EXPECT_EQ(snapshot_.version(), 1U);

  const double ratio =
      static_cast<double>(read.count()) / static_cast<double>(floor.count());
  RecordProperty("floor_ns", std::to_string(floor.count()));
  RecordProperty("ratio", std::to_string(ratio));
  std::printf("bare dump %.3f ms, read %.3f ms, ratio %.2f\n",
              static_cast<double>(floor.count()) / 1e6,
              static_cast<double>(read.count()) / 1e6, ratio);
  // 1.3 on an idle machine; the bound leaves room for sanitizers and company.
  EXPECT_LT(ratio, 2.5);
}

}  // namespace
}  // namespace uplinkd
