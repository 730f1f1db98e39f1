#include "proto/schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "proto/enum_names.h"
#include "proto/short_form.h"
#include "proto/spec_comments.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using Json = nlohmann::ordered_json;

// What validate*.cc says is missing if it is, by message.
struct Required {
  std::string_view message;
  std::vector<std::string> keys;
};
const std::vector<Required>& RequiredKeys() {
  static const std::vector<Required> required = {
      {"Router", {"apiVersion", "kind", "spec"}},
      {"RouterSpec", {"uplinks"}},
      {"Lan", {"interface"}},
      {"Uplink", {"name", "interface"}},
      {"Health", {"probes"}},
      {"DnsProbe", {"server", "name"}},
      {"HttpProbe", {"url"}},
      {"Policy", {"name"}},
      {"PolicyMember", {"uplink"}},
      {"TrafficRule", {"name", "use"}},
      {"Limit", {"rate"}},
  };
  return required;
}

Json Pattern(const char* pattern) {
  return {{"type", "string"}, {"pattern", pattern}};
}

Json AnyOf(Json::array_t choices) {
  return {{"anyOf", std::move(choices)}};
}

Json Reference(const Descriptor& type) {
  return {{"$ref", "#/$defs/" + type.name()}};
}

// As units.h parses it: decimal or hex, which YAML may take for a number.
Json Number(std::uint64_t max) {
  return AnyOf({{{"type", "integer"}, {"minimum", 0}, {"maximum", max}},
                Pattern("^(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)$")});
}

// A word may look like a number to YAML, as 5060 and 46 do.
Json Word() {
  return {{"type", {"string", "number", "boolean"}}};
}

// A message that a file writes as one word with a unit; null for all others.
Json WithUnit(const Descriptor& type) {
  if (&type == v1::BitRate::descriptor()) {
    return AnyOf({Pattern("^[0-9]+(\\.[0-9]+)?([kmg]?bit)?$"),
                  {{"type", "integer"}, {"minimum", 0}}});
  }
  if (&type == v1::Percentage::descriptor()) {
    return Pattern("^[0-9]+(\\.[0-9]{1,2}0*)?%$");
  }
  if (&type == google::protobuf::Duration::descriptor()) {
    return Pattern("^([0-9]+(\\.[0-9]+)?(h|m|s|ms|us|ns))+$");
  }
  return nullptr;
}

class SchemaWriter {
 public:
  SchemaWriter() {
    google::protobuf::FileDescriptorSet files;
    const std::string_view bytes = SpecDescriptorSet();
    files.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    for (const auto& file : files.file()) comments_.BuildFile(file);
  }

  Json Write() {
    const Descriptor& router = *v1::Router::descriptor();
    Define(router);
    Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                   {"title", "A spec of uplinkd"}};
    schema.update(Reference(router));
    schema["$defs"] = std::move(definitions_);
    return schema;
  }

 private:
  // The comment above an element, or behind it; "" without one.
  static std::string Words(const google::protobuf::SourceLocation& place) {
    const std::string& comment = place.leading_comments.empty()
                                     ? place.trailing_comments
                                     : place.leading_comments;
    std::string words;
    for (const char c : comment) {
      const bool space = c == ' ' || c == '\n';
      if (space && (words.empty() || words.back() == ' ')) continue;
      words += space ? ' ' : c;
    }
    while (words.ends_with(' ')) words.pop_back();
    return words;
  }

  template <typename Found>
  static void Describe(const Found* found, Json& schema) {
    google::protobuf::SourceLocation place;
    if (found == nullptr || !found->GetSourceLocation(&place)) return;
    const std::string words = Words(place);
    if (!words.empty()) schema["description"] = words;
  }

  void Define(const Descriptor& type) {
    if (definitions_.contains(type.name())) return;
    definitions_[type.name()] = nullptr;  // it may have itself as a field
    Json properties = Json::object();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      Json value = ValueOf(field);
      Describe(comments_.FindFieldByName(field.full_name()), value);
      properties[field.json_name()] = std::move(value);
    }
    Json schema = {{"type", "object"},
                   {"additionalProperties", false},
                   {"properties", std::move(properties)}};
    const auto& all = RequiredKeys();
    const auto required =
        std::ranges::find(all, type.name(), &Required::message);
    if (required != all.end()) schema["required"] = required->keys;
    if (type.real_oneof_decl_count() > 0) {
      schema["minProperties"] = 1;
      schema["maxProperties"] = 1;
    }
    if (const FieldDescriptor* only = ShortFormField(type)) {
      schema = AnyOf({ValueOf(*only), std::move(schema)});
    } else if (const Json unit = WithUnit(type); !unit.is_null()) {
      // In JSON it may be the message that it is on the wire.
      schema = AnyOf({unit, std::move(schema)});
    }
    Describe(comments_.FindMessageTypeByName(type.full_name()), schema);
    definitions_[type.name()] = std::move(schema);
  }

  Json ValueOf(const FieldDescriptor& field) {
    Json value = SingleValue(field);
    if (!field.is_repeated()) return value;
    return {{"type", "array"}, {"items", std::move(value)}};
  }

  Json SingleValue(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: return MessageValue(field);
      case FieldDescriptor::CPPTYPE_ENUM:
        return {{"enum", EnumWords(*field.enum_type())}};
      case FieldDescriptor::CPPTYPE_UINT32:
        return Number(std::numeric_limits<std::uint32_t>::max());
      case FieldDescriptor::CPPTYPE_UINT64:
        return Number(std::numeric_limits<std::uint64_t>::max());
      case FieldDescriptor::CPPTYPE_BOOL:
        return {{"enum", {true, false, "true", "false"}}};
      default: break;
    }
    if (&field == Key<v1::Router>("api_version")) {
      return {{"const", "uplinkd/v1"}};
    }
    if (&field == Key<v1::Router>("kind")) return {{"const", "Router"}};
    return Word();
  }

  Json MessageValue(const FieldDescriptor& field) {
    const Descriptor& type = *field.message_type();
    // The fields of a Duration are of a kind that no file holds.
    if (&type == google::protobuf::Duration::descriptor()) {
      return WithUnit(type);
    }
    Define(type);
    return Reference(type);
  }

  template <typename Message>
  static const FieldDescriptor* Key(const char* name) {
    return Message::descriptor()->FindFieldByName(name);
  }

  DescriptorPool comments_;
  Json definitions_ = Json::object();
};

}  // namespace

std::string SpecSchema() {
  return SchemaWriter().Write().dump(2) + "\n";
}

}  // namespace uplinkd
