#include "agent/spec_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>

#include "agent/files.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

StoredSpec StoredAs(std::uint64_t generation) {
  StoredSpec stored;
  stored.generation = generation;
  stored.spec = TwoUplinkSpec();
  stored.spec.revision = "git:" + std::to_string(generation);
  stored.ids = {{"wan1", 1}, {"wan2", 2}, {"gone", 3}};
  return stored;
}

// Files may not grow beyond `bytes` for as long as this lives: what a full
// disk does to a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST(SpecStore, HoldsNothingAtFirst) {
  const TemporaryDirectory directory;
  const auto loaded = SpecStore(directory.path()).Load();
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->has_value());
}

TEST(SpecStore, GivesBackWhatWasSaved) {
  const TemporaryDirectory directory;
  const StoredSpec stored = StoredAs(7);
  ASSERT_TRUE(SpecStore(directory.path()).Save(stored));
  const auto loaded = SpecStore(directory.path()).Load();
  ASSERT_TRUE(loaded);
  ASSERT_TRUE(loaded->has_value());
  EXPECT_EQ(**loaded, stored);
}

TEST(SpecStore, KeepsEveryFieldOfASpec) {
  const TemporaryDirectory directory;
  StoredSpec stored = StoredAs(1);
  stored.spec.lans.push_back({"lan1", {}});
  stored.spec.uplinks[0].address = testing::Ip("198.51.100.2");
  stored.spec.uplinks[0].gateway = testing::Ip("198.51.100.1");
  stored.spec.uplinks[0].nat = Nat::kMasquerade;
  stored.spec.uplinks[0].weight = 2;
  stored.spec.uplinks[1].weight = 3;
  Policy& balance = stored.spec.balance;
  balance.algorithm = Algorithm::kWeightedRandom;
  balance.measure = Measure::kBoth;
  balance.estimator = {std::chrono::milliseconds(500),
                       std::chrono::milliseconds(2000)};
  balance.tiers = {{{"wan1", 3}}, {{"wan2", std::nullopt}}};
  balance.last_resort = LastResort::kBlackhole;
  stored.spec.policies = {balance};
  stored.spec.policies[0].name = "voice";
  stored.spec.mark_mask = 0xff00;
  stored.spec.table_base = 100;
  ASSERT_TRUE(SpecStore(directory.path()).Save(stored));
  const auto loaded = SpecStore(directory.path()).Load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->value(), stored);
}

TEST(SpecStore, MakesItsDirectoryAndLeavesNoTemporaryFile) {
  const TemporaryDirectory directory;
  SpecStore store(directory / "deep/er");
  ASSERT_TRUE(store.Save(StoredAs(1)));
  EXPECT_TRUE(directory.Has("deep/er/spec.json"));
  EXPECT_FALSE(directory.Has("deep/er/spec.json.new"));
}

// A torn file is one that was cut anywhere.
TEST(SpecStore, RefusesATornFileWhereverItWasCut) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(3)));
  const std::string whole = directory.Read("spec.json");
  // The last bytes are the closing brace and a line end.
  const std::size_t last = whole.find_last_of('}');
  for (std::size_t size = 0; size <= last; ++size) {
    directory.Write("spec.json", whole.substr(0, size));
    const auto loaded = store.Load();
    ASSERT_FALSE(loaded) << size;
    EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  }
}

TEST(SpecStore, RefusesWhatItDoesNotUnderstand) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(3)));
  const std::string good = directory.Read("spec.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& bad :
       {std::string("[]"), std::string("{}"),
        with("\"format\": 1", "\"format\": 2"),
        with("\"generation\": 3", "\"generation\": -3"),
        with("\"generation\": 3", "\"generation\": 0.5"),
        with("\"wan1\": 1", "\"wan1\": \"one\""),
        with("\"lan0\"", "\"no spaces allowed in here\""),
        with("\"uplinks\"", "\"uplynks\"")}) {
    directory.Write("spec.json", bad);
    EXPECT_FALSE(store.Load()) << bad;
  }
}

// Those of a bit are told from what somebody wrote: nothing else than what was
// saved is ever followed.
TEST(SpecStore, RefusesAFileOfWhichABitFlipped) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  StoredSpec stored = StoredAs(3);
  stored.pending = PendingConfirm{{"night", std::chrono::minutes(10)},
                                  {{}, std::chrono::hours(1), "boot"},
                                  2,
                                  stored.spec};
  stored.held = stored.spec;
  ASSERT_TRUE(store.Save(stored));
  const std::string whole = directory.Read("spec.json");
  // All eight bits in turn; every byte takes half a minute.
  constexpr std::size_t kStride = 11;
  std::size_t tried = 0;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole.size(); i += kStride) {
    ++tried;
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    directory.Write("spec.json", flipped);
    const auto loaded = store.Load();
    if (loaded) {
      ASSERT_EQ(**loaded, stored) << "bit " << i % 8 << " of byte " << i;
    } else {
      ++refused;
    }
  }
  // Only the name of the checksum may be lost unnoticed.
  EXPECT_GE(refused + 1, tried);
}

std::string Unsealed(const std::string& text) {
  return text.substr(0, text.rfind(",\n \"sha256\"")) + "}\n";
}

// That of an older version has no checksum, and somebody may have removed it.
TEST(SpecStore, TakesAFileWithoutAChecksumAsItIs) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(3)));
  directory.Write("spec.json", Unsealed(directory.Read("spec.json")));
  const auto loaded = store.Load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(**loaded, StoredAs(3));
}

// As after a downgrade.
TEST(SpecStore, SaysThatANewerVersionWroteTheFile) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(3)));
  std::string text = Unsealed(directory.Read("spec.json"));
  const std::string version = std::string("\"") + UPLINKD_VERSION + "\"";
  ASSERT_NE(text.find(version), std::string::npos);
  text.replace(text.find(version), version.size(), "\"99.10.1\"");
  directory.Write("spec.json", text);
  EXPECT_TRUE(store.Load()) << "it has nothing that is new";
  text.replace(text.find("\"kind\""), 6, "\"colour\"");
  directory.Write("spec.json", text);
  const auto loaded = store.Load();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message,
              HasSubstr("uplinkd 99.10.1 wrote it, and this older one"));
  EXPECT_THAT(loaded.error().message, HasSubstr("colour"));
}

TEST(SpecStore, KeepsWhateverStandsInItsPlaceAside) {
  const TemporaryDirectory directory;
  directory.Write("spec.json/deep", "a directory");
  SpecStore store(directory.path());
  const auto loaded = store.Load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(loaded.error().message, HasSubstr("Is a directory"));
  EXPECT_TRUE(directory.Has("spec.json/deep"));
  ASSERT_TRUE(store.Save(StoredAs(1)));
  EXPECT_TRUE(directory.Has("spec.json.corrupt/deep"));
  EXPECT_EQ(store.Load().value().value(), StoredAs(1));
}

// As somebody may have written it by hand.
TEST(SpecStore, ReadsTimesAsFarAsTheyGet) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  StoredSpec stored = StoredAs(3);
  stored.pending = PendingConfirm{
      {"night", std::chrono::minutes(5)}, Moment{}, 2, stored.spec};
  ASSERT_TRUE(store.Save(stored));
  std::string text = Unsealed(directory.Read("spec.json"));
  const auto replace = [&text](const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  };
  replace("\"since\": \"1970-", "\"since\": \"0001-");
  directory.Write("spec.json", text);
  const auto loaded = store.Load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  const PendingConfirm& pending = *(*loaded)->pending;
  const Moment now{std::chrono::system_clock::now(), {}, "another"};
  EXPECT_GE(TimeLeft(pending, now).count(), 0);
  // But nothing ever waits that long.
  replace("\"within\": \"300s\"", "\"within\": \"315576000000s\"");
  directory.Write("spec.json", text);
  EXPECT_EQ(store.Load().error().code, ErrorCode::kFailedPrecondition);
}

TEST(SpecStore, NamesTheFileAndTheWayOut) {
  const TemporaryDirectory directory;
  directory.Write("spec.json", "{\"format\": ");
  const auto loaded = SpecStore(directory.path()).Load();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr(directory / "spec.json"));
  EXPECT_THAT(loaded.error().message, HasSubstr("apply a spec"));
}

TEST(SpecStore, KeepsACorruptFileAsItIsUntilThereIsANewSpec) {
  const TemporaryDirectory directory;
  directory.Write("spec.json", "torn");
  SpecStore store(directory.path());
  EXPECT_FALSE(store.Load());
  EXPECT_EQ(directory.Read("spec.json"), "torn");
  EXPECT_FALSE(directory.Has("spec.json.corrupt"));

  ASSERT_TRUE(store.Save(StoredAs(1)));
  EXPECT_EQ(directory.Read("spec.json.corrupt"), "torn");
  EXPECT_TRUE(store.Load().value().has_value());
}

TEST(SpecStore, KeepsTheLastSpecWhenTheDiskIsFull) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(1)));
  {
    const FileSizeLimit full(100);
    const auto saved = store.Save(StoredAs(2));
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, ErrorCode::kResourceExhausted);
    EXPECT_THAT(saved.error().message, HasSubstr("spec.json"));
  }
  EXPECT_EQ(store.Load().value().value(), StoredAs(1));
  EXPECT_FALSE(directory.Has("spec.json.new"));
}

TEST(SpecStore, SaysWhyItCannotSave) {
  const TemporaryDirectory directory;
  directory.Write("file", "");
  const auto saved = SpecStore(directory / "file").Save(StoredAs(1));
  ASSERT_FALSE(saved);
  EXPECT_THAT(saved.error().message, HasSubstr(directory / "file"));
}

// A crash between writing the temporary file and renaming it.
TEST(SpecStore, IgnoresALeftoverTemporaryFile) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(1)));
  directory.Write("spec.json.new", "{\"format\"");
  EXPECT_EQ(store.Load().value().value(), StoredAs(1));
  ASSERT_TRUE(store.Save(StoredAs(2)));
  EXPECT_EQ(store.Load().value().value(), StoredAs(2));
  EXPECT_FALSE(directory.Has("spec.json.new"));
}

TEST(SpecStore, ForgetsForGood) {
  const TemporaryDirectory directory;
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Save(StoredAs(1)));
  ASSERT_TRUE(store.Forget());
  EXPECT_FALSE(store.Load().value().has_value());
  EXPECT_TRUE(store.Forget());  // again
}

TEST(SpecStore, ForgettingSetsACorruptFileAside) {
  const TemporaryDirectory directory;
  directory.Write("spec.json", "torn");
  SpecStore store(directory.path());
  ASSERT_TRUE(store.Forget());
  EXPECT_FALSE(store.Load().value().has_value());
  EXPECT_EQ(directory.Read("spec.json.corrupt"), "torn");
}

TEST(SpecStore, AnIdThatASpecClaimsIsNoLongerRemembered) {
  Spec spec = TwoUplinkSpec();
  const auto ids = RememberIds({{"old", 2}, {"other", 9}, {"wan1", 5}}, spec);
  EXPECT_EQ(ids, (std::map<std::string, UplinkId>{
                     {"wan1", 1}, {"wan2", 2}, {"other", 9}}));
}

}  // namespace
}  // namespace uplinkd
