// Every example is read, is valid, and survives being written and read again.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

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

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The fields that `message` and the messages in it have a value for.
void AddFieldsWithAValue(const Message& message,
                         std::set<const FieldDescriptor*>& all) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    all.insert(field);
    if (field->message_type() == nullptr) continue;
    if (!field->is_repeated()) {
      AddFieldsWithAValue(reflection.GetMessage(message, field), all);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      AddFieldsWithAValue(reflection.GetRepeatedMessage(message, field, i),
                          all);
    }
  }
}

// The fields of `type` and of the types in it. Not of the well-known types.
void AddFieldsOf(const Descriptor& type,
                 std::set<const FieldDescriptor*>& all) {
  if (type.file() != v1::Router::descriptor()->file()) return;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    const bool is_new = all.insert(field).second;
    if (is_new && field->message_type() != nullptr) {
      AddFieldsOf(*field->message_type(), all);
    }
  }
}

TEST(Examples, ShowEveryField) {
  const auto file = ReadSpecFile(std::string(UPLINKD_EXAMPLES) + "/full.yaml");
  ASSERT_TRUE(file);
  std::set<const FieldDescriptor*> shown;
  AddFieldsWithAValue(file->router, shown);
  std::set<const FieldDescriptor*> there_are;
  AddFieldsOf(*v1::Router::descriptor(), there_are);
  for (const FieldDescriptor* field : there_are) {
    EXPECT_TRUE(shown.contains(field)) << field->full_name();
  }
}

}  // namespace
}  // namespace uplinkd
