#include "proto/spec_writer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/enum_names.h"
#include "proto/short_form.h"
#include "proto/units.h"
#include "reconciler/ip.h"

namespace uplinkd {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;

// What is written: the same tree for both formats.
struct Value {
  enum class Kind {
    kText,    // the operator's own words
    kWord,    // ours, with a letter in it: 40mbit, least-loaded
    kNumber,  // or true and false
    kList,
    kMap,
  };

  Kind kind = Kind::kText;
  std::string text;
  std::string json_text;        // of a number: JSON has no hex
  std::string key;              // of an entry of a map
  std::vector<Value> children;  // of a list or a map
};

Value Leaf(Value::Kind kind, std::string text) {
  std::string json_text = text;
  return {kind, std::move(text), std::move(json_text), "", {}};
}

Value Number(std::uint64_t number) {
  return Leaf(Value::Kind::kNumber, std::to_string(number));
}

Value HexNumber(std::uint64_t number) {
  std::array<char, 24> digits{};
  std::snprintf(digits.data(), digits.size(), "0x%llx",
                static_cast<unsigned long long>(number));
  return {Value::Kind::kNumber, digits.data(), std::to_string(number), "", {}};
}

Value ToValue(const Message& message);

// The value of a field, or of item `index` of a list.
Value FieldValue(const Message& message, const FieldDescriptor& field,
                 int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToValue(list
                         ? reflection.GetRepeatedMessage(message, &field, index)
                         : reflection.GetMessage(message, &field));
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value =
          list ? reflection.GetRepeatedEnum(message, &field, index)
               : reflection.GetEnum(message, &field);
      return Leaf(Value::Kind::kWord, EnumWord(*value));
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      const std::uint32_t number =
          list ? reflection.GetRepeatedUInt32(message, &field, index)
               : reflection.GetUInt32(message, &field);
      const bool mask = field.containing_type() == v1::Marks::descriptor();
      return mask ? HexNumber(number) : Number(number);
    }
    case FieldDescriptor::CPPTYPE_UINT64:
      return Number(list ? reflection.GetRepeatedUInt64(message, &field, index)
                         : reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool on = list ? reflection.GetRepeatedBool(message, &field, index)
                           : reflection.GetBool(message, &field);
      return Leaf(Value::Kind::kNumber, on ? "true" : "false");
    }
    default:
      return Leaf(Value::Kind::kText,
                  list ? reflection.GetRepeatedString(message, &field, index)
                       : reflection.GetString(message, &field));
  }
}

Value ToList(const Message& message, const FieldDescriptor& field) {
  Value list{Value::Kind::kList, "", "", "", {}};
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    list.children.push_back(FieldValue(message, field, i));
  }
  return list;
}

Value ToValue(const Message& message) {
  if (message.GetDescriptor() == v1::BitRate::descriptor()) {
    const auto& rate = static_cast<const v1::BitRate&>(message);
    return Leaf(Value::Kind::kWord, FormatBitRate(rate.bits_per_second()));
  }
  if (message.GetDescriptor() == v1::Percentage::descriptor()) {
    const auto& part = static_cast<const v1::Percentage&>(message);
    return Leaf(Value::Kind::kWord, FormatPercentage(part.hundredths()));
  }
  if (message.GetDescriptor() == google::protobuf::Duration::descriptor()) {
    const auto& duration =
        static_cast<const google::protobuf::Duration&>(message);
    const std::chrono::nanoseconds nanoseconds(
        TimeUtil::DurationToNanoseconds(duration));
    return Leaf(Value::Kind::kWord, FormatDuration(nanoseconds));
  }
  Value map{Value::Kind::kMap, "", "", "", {}};
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  const FieldDescriptor* short_form = ShortFormField(*message.GetDescriptor());
  for (const FieldDescriptor* field : fields) {
    Value value = field->is_repeated() ? ToList(message, *field)
                                       : FieldValue(message, *field, 0);
    if (field == short_form && fields.size() == 1) return value;
    value.key = field->json_name();
    map.children.push_back(std::move(value));
  }
  return map;
}

// Whether every reader of YAML, of whatever version, takes the bare text for
// this very text, and not for a number, a date or a word such as `no`.
bool IsPlain(const std::string& text) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:";
  constexpr std::array<std::string_view, 9> kWords = {
      "true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  const auto prefix = Prefix::ParseLenient(text);
  if (prefix && prefix->family() == Family::kIpv4) return true;
  if (text.empty() || text.back() == ':' ||
      kLetters.find(text.front()) == std::string_view::npos ||
      text.find_first_not_of(kSafe) != std::string::npos) {
    return false;
  }
  std::string lower = text;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return std::find(kWords.begin(), kWords.end(), lower) == kWords.end();
}

// In JSON's quotes, which are also YAML's double quotes.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x",
                    static_cast<unsigned>(byte));
      quoted += escape.data();
    } else {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string Indent(int depth) {
  return std::string(2 * static_cast<std::size_t>(depth), ' ');
}

bool IsLeaf(const Value& value) {
  return value.kind != Value::Kind::kList && value.kind != Value::Kind::kMap;
}

class YamlPrinter {
 public:
  std::string Print(const Value& root) {
    if (root.children.empty()) return Inline(root) + "\n";
    PrintMap(root, 0, true);
    return std::move(out_);
  }

 private:
  // `indent_first`: the first entry begins a line.
  void PrintMap(const Value& map, int depth, bool indent_first) {
    bool indent = indent_first;
    for (const Value& value : map.children) {
      if (indent) out_ += Indent(depth);
      indent = true;
      out_ += value.key + ":";
      PrintAfterKey(value, depth);
    }
  }

  void PrintAfterKey(const Value& value, int depth) {
    if (IsLeaf(value) || IsInline(value)) {
      out_ += " " + Inline(value) + "\n";
    } else if (value.kind == Value::Kind::kMap) {
      out_ += "\n";
      PrintMap(value, depth + 1, true);
    } else {
      out_ += "\n";
      PrintList(value, depth + 1, true);
    }
  }

  void PrintList(const Value& list, int depth, bool indent_first) {
    bool indent = indent_first;
    for (const Value& item : list.children) {
      if (indent) out_ += Indent(depth);
      indent = true;
      out_ += "- ";
      PrintItem(item, depth + 1);
    }
  }

  void PrintItem(const Value& item, int depth) {
    if (IsInline(item)) {
      out_ += Inline(item) + "\n";
    } else if (item.kind == Value::Kind::kMap) {
      PrintMap(item, depth, false);
    } else {
      PrintList(item, depth, false);
    }
  }

  // Empty maps and lists of single values stand on one line.
  static bool IsInline(const Value& value) {
    if (value.kind == Value::Kind::kMap) return value.children.empty();
    return std::all_of(value.children.begin(), value.children.end(),
                       [](const Value& item) { return IsLeaf(item); });
  }

  static std::string Inline(const Value& value) {
    if (value.kind == Value::Kind::kMap) return "{}";
    if (value.kind == Value::Kind::kText) {
      return IsPlain(value.text) ? value.text : Quoted(value.text);
    }
    if (value.kind != Value::Kind::kList) return value.text;
    std::string text = "[";
    for (const Value& item : value.children) {
      if (text.size() > 1) text += ", ";
      text += Inline(item);
    }
    return text + "]";
  }

  std::string out_;
};

class JsonPrinter {
 public:
  std::string Print(const Value& root) {
    PrintValue(root, 0);
    return std::move(out_) + "\n";
  }

 private:
  void PrintValue(const Value& value, int depth) {
    if (value.kind == Value::Kind::kNumber) {
      out_ += value.json_text;
    } else if (IsLeaf(value)) {
      out_ += Quoted(value.text);
    } else {
      PrintChildren(value, depth);
    }
  }

  void PrintChildren(const Value& value, int depth) {
    const bool map = value.kind == Value::Kind::kMap;
    out_ += map ? "{" : "[";
    bool first = true;
    for (const Value& child : value.children) {
      out_ += first ? "\n" : ",\n";
      first = false;
      out_ += Indent(depth + 1);
      if (map) out_ += Quoted(child.key) + ": ";
      PrintValue(child, depth + 1);
    }
    if (!first) out_ += "\n" + Indent(depth);
    out_ += map ? "}" : "]";
  }

  std::string out_;
};

}  // namespace

std::string WriteSpecYaml(const v1::Router& router) {
  return YamlPrinter().Print(ToValue(router));
}

std::string WriteSpecJson(const v1::Router& router) {
  return JsonPrinter().Print(ToValue(router));
}

}  // namespace uplinkd
