// Whatever happens to a file, the reader answers: a spec, or faults in place.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "proto/convert.h"
#include "proto/spec_reader.h"
#include "proto/spec_writer.h"

namespace uplinkd {
namespace {

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const auto& entry :
       std::filesystem::directory_iterator(UPLINKD_EXAMPLES)) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    seeds.emplace_back(std::istreambuf_iterator<char>(file),
                       std::istreambuf_iterator<char>());
    const auto read = ReadSpecText(seeds.back(), entry.path());
    if (read) seeds.push_back(WriteSpecJson(read->router));
  }
  std::sort(seeds.begin(), seeds.end());
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string Mutate(std::string text) {
    for (std::size_t i = Pick(5); i < 5; ++i) MutateOnce(text);
    return text;
  }
  std::size_t Pick(std::size_t count) { return random_() % count; }

 private:
  // What means something to YAML, or to a reader of it.
  static constexpr std::array<std::string_view, 36> kTokens = {
      ":",    ": ",       "- ",          "? ",    "|\n",         ">",
      "!",    "!!str ",   "&a ",         "*a",    "{",           "}",
      "[",    "]",        ",",           "\"",    "'",           "\n",
      "\t",   "  ",       "%YAML 1.1\n", "---\n", "...\n",       "#",
      "\\",   "\\u",      "0x",          "@",     "\r\n",        "~",
      "<<: ", "\xc3\xa9", "|2-\n",       "mbit",  "99999999999", "null"};

  void MutateOnce(std::string& text) {
    const std::size_t at = Pick(text.size() + 1);
    const std::string_view token = kTokens[Pick(kTokens.size())];
    switch (Pick(6)) {
      case 0: text.insert(at, token); break;
      case 1: text.erase(at, 1 + Pick(8)); break;
      case 2: text.insert(at, 1, static_cast<char>(random_())); break;
      case 3:
        text.insert(at, text.substr(Pick(text.size() + 1), Pick(60)));
        break;
      case 4: text.replace(at, 1 + Pick(3), token); break;
      default:
        if (Pick(8) == 0) text.resize(at);
    }
  }

  std::mt19937 random_;
};

void ExpectFaultsInPlace(const std::vector<SpecFault>& faults) {
  ASSERT_FALSE(faults.empty());
  for (const SpecFault& fault : faults) {
    ASSERT_EQ(fault.file, "f");
    ASSERT_FALSE(fault.message.empty());
    ASSERT_GE(fault.position.line, 1);
    ASSERT_GE(fault.position.column, 1);
    for (const char c : RenderFault(fault)) {
      ASSERT_GE(static_cast<unsigned char>(c), ' ') << RenderFault(fault);
    }
  }
}

TEST(SpecReaderLaw, AnswersToAnyDamage) {
  const std::vector<std::string> seeds = Seeds();
  ASSERT_GE(seeds.size(), 12U);
  Mutator mutator(8);
  int read_well = 0;
  int valid = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutator.Mutate(seeds[mutator.Pick(seeds.size())]);
    SCOPED_TRACE(text);
    const auto file = ReadSpecText(text, "f");
    if (!file) {
      ASSERT_NO_FATAL_FAILURE(ExpectFaultsInPlace(file.error()));
      continue;
    }
    ++read_well;
    const Converted converted = SpecFromProto(file->router);
    if (converted.violations.empty()) {
      ++valid;
    } else {
      ASSERT_NO_FATAL_FAILURE(
          ExpectFaultsInPlace(Locate(*file, converted.violations)));
    }
  }
  // The damage is neither always fatal nor always harmless.
  EXPECT_GT(read_well, 500);
  EXPECT_LT(read_well, 19'000);
  EXPECT_GT(valid, 200);
}

}  // namespace
}  // namespace uplinkd
