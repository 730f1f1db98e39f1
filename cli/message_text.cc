#include "cli/message_text.h"

#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include <string_view>

namespace uplinkd {
namespace {

// Whether YAML would read the bare text as something else than this string.
// Quoting more than needed is harmless, so the rule is simple.
bool NeedsQuotes(const std::string& text) {
  static constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/";
  bool truth = false;
  return text.empty() || kLetters.find(text.front()) == kLetters.npos ||
         text == "null" || text == "Null" || text == "NULL" ||
         YAML::convert<bool>::decode(YAML::Node(text), truth);
}

// yaml-cpp's own output of a node forgets which scalars were strings.
void Emit(const YAML::Node& node, YAML::Emitter& yaml) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      yaml << YAML::BeginMap;
      for (const auto& entry : node) {
        yaml << YAML::Key << entry.first.Scalar() << YAML::Value;
        Emit(entry.second, yaml);
      }
      yaml << YAML::EndMap;
      return;
    case YAML::NodeType::Sequence:
      // A sequence in a map is only "[]" if that is said.
      if (node.size() == 0) yaml << YAML::Flow;
      yaml << YAML::BeginSeq;
      for (const auto& item : node) Emit(item, yaml);
      yaml << YAML::EndSeq;
      return;
    case YAML::NodeType::Scalar:
      // "!" is the tag of a scalar that was quoted: a string.
      if (node.Tag() == "!" && NeedsQuotes(node.Scalar())) {
        yaml << YAML::DoubleQuoted;
      }
      yaml << node.Scalar();
      return;
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined: yaml << YAML::Null; return;
  }
}

}  // namespace

std::string WriteJson(const google::protobuf::Message& message,
                      JsonStyle style) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.add_whitespace = style == JsonStyle::kIndented;
  std::string text;
  // Only messages with an Any of an unknown type can fail; ours have none.
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) text = "{}";
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

std::string WriteYaml(const google::protobuf::Message& message) {
  // JSON is YAML.
  const YAML::Node node = YAML::Load(WriteJson(message, JsonStyle::kOneLine));
  YAML::Emitter yaml;
  Emit(node, yaml);
  return std::string(yaml.c_str()) + "\n";
}

}  // namespace uplinkd
