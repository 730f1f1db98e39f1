// Every example is read, is valid, and survives being written and read again.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "proto/convert.h"
#include "proto/spec_reader.h"
#include "proto/spec_writer.h"

namespace uplinkd {
namespace {

using google::protobuf::util::MessageDifferencer;

std::vector<std::string> Examples() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(UPLINKD_EXAMPLES)) {
    if (entry.path().extension() == ".yaml") {
      names.push_back(entry.path().stem());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Example : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string path =
        std::string(UPLINKD_EXAMPLES) + "/" + GetParam() + ".yaml";
    const auto file = ReadSpecFile(path);
    ASSERT_TRUE(file) << RenderFault(file.error().front());
    file_ = *file;
  }

  SpecFile file_;
};

TEST_P(Example, IsValid) {
  const Converted converted = SpecFromProto(file_.router);
  for (const SpecFault& fault : Locate(file_, converted.violations)) {
    ADD_FAILURE() << RenderFault(fault);
  }
}

TEST_P(Example, SurvivesWritingAndReading) {
  for (const std::string& text :
       {WriteSpecYaml(file_.router), WriteSpecJson(file_.router)}) {
    const auto again = ReadSpecText(text, "again");
    ASSERT_TRUE(again) << text;
    EXPECT_TRUE(MessageDifferencer::Equals(again->router, file_.router));
  }
}

TEST_P(Example, MeansTheSameWithEveryDefaultWrittenOut) {
  const Spec spec = AssignIds(SpecFromProto(file_.router).spec, {});
  const auto again = ReadSpecText(WriteSpecYaml(SpecToProto(spec)), "again");
  ASSERT_TRUE(again);
  EXPECT_EQ(SpecFromProto(again->router).spec, spec);
}

INSTANTIATE_TEST_SUITE_P(All, Example, ::testing::ValuesIn(Examples()),
                         [](const auto& example) {
                           std::string name = example.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Examples, ShowEveryField) {
  const auto file = ReadSpecFile(std::string(UPLINKD_EXAMPLES) + "/full.yaml");
  ASSERT_TRUE(file);
  // Every field of every message, as a path with the first item of each list.
  std::vector<std::pair<const google::protobuf::Descriptor*, std::string>>
      open = {{v1::Router::descriptor(), ""}};
  while (!open.empty()) {
    const auto [type, parent] = open.back();
    open.pop_back();
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* const field = type->field(i);
      const std::string path =
          parent + field->json_name() + (field->is_repeated() ? "[0]" : "");
      EXPECT_TRUE(file->positions.contains(path)) << path;
      const auto* const inner = field->message_type();
      const bool has_unit = inner != nullptr && (inner->name() == "BitRate" ||
                                                 inner->name() == "Duration");
      if (inner != nullptr && !has_unit) open.emplace_back(inner, path + ".");
    }
  }
}

}  // namespace
}  // namespace uplinkd
