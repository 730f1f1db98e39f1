#include "proto/message_reader.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "proto/enum_names.h"
#include "proto/nearest.h"
#include "proto/short_form.h"
#include "proto/units.h"
#include "reconciler/names.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;
using Kind = YamlNode::Kind;

// A message that a file writes as one word, with a unit.
bool HasUnit(const Descriptor& type) {
  return &type == v1::BitRate::descriptor() ||
         &type == v1::Percentage::descriptor() ||
         &type == google::protobuf::Duration::descriptor();
}

std::vector<std::string> KeysOf(const Descriptor& type) {
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(type.field_count()));
  for (int i = 0; i < type.field_count(); ++i) {
    keys.push_back(type.field(i)->json_name());
  }
  return keys;
}

const FieldDescriptor* FindKey(const Descriptor& type, const std::string& key) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == key) return type.field(i);
  }
  return nullptr;
}

// The field that was set before `field` where only one of both may be.
const FieldDescriptor* ChosenInstead(const Message& message,
                                     const FieldDescriptor& field) {
  const auto* const choice = field.real_containing_oneof();
  if (choice == nullptr) return nullptr;
  return message.GetReflection()->GetOneofFieldDescriptor(message, choice);
}

std::string KindWord(Kind kind) {
  switch (kind) {
    case Kind::kNull: return "nothing";
    case Kind::kScalar: return "a single value";
    case Kind::kSequence: return "a list";
    case Kind::kMap: return "a map";
  }
  return "";
}

// The path of a key. A key that could not be one of ours stays out of it: a
// path must be fit for one line of a terminal.
std::string PathOf(const std::string& parent, const std::string& key) {
  constexpr std::size_t kMaxKey = 40;
  const bool word = !key.empty() && key.size() <= kMaxKey &&
                    std::all_of(key.begin(), key.end(), [](unsigned char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
                    });
  if (!word) return parent;
  return parent.empty() ? key : parent + "." + key;
}

// A field that gets a value, or a list that gets one more.
class Slot {
 public:
  Slot(Message& message, const FieldDescriptor& field)
      : message_(message),
        reflection_(*message.GetReflection()),
        field_(field) {}

  const FieldDescriptor& field() const { return field_; }

  // Of a list.
  int Size() const { return reflection_.FieldSize(message_, &field_); }
  void AddEmpty() {
    if (field_.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) NewMessage();
    if (field_.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
      Set(std::string());
  }

  Message& NewMessage() {
    return field_.is_repeated()
               ? *reflection_.AddMessage(&message_, &field_)
               : *reflection_.MutableMessage(&message_, &field_);
  }
  void Set(const std::string& value) {
    field_.is_repeated() ? reflection_.AddString(&message_, &field_, value)
                         : reflection_.SetString(&message_, &field_, value);
  }
  void Set(const google::protobuf::EnumValueDescriptor* value) {
    field_.is_repeated() ? reflection_.AddEnum(&message_, &field_, value)
                         : reflection_.SetEnum(&message_, &field_, value);
  }
  void Set(bool value) {
    field_.is_repeated() ? reflection_.AddBool(&message_, &field_, value)
                         : reflection_.SetBool(&message_, &field_, value);
  }
  void Set(std::uint32_t value) {
    field_.is_repeated() ? reflection_.AddUInt32(&message_, &field_, value)
                         : reflection_.SetUInt32(&message_, &field_, value);
  }
  void Set(std::uint64_t value) {
    field_.is_repeated() ? reflection_.AddUInt64(&message_, &field_, value)
                         : reflection_.SetUInt64(&message_, &field_, value);
  }

 private:
  Message& message_;
  const Reflection& reflection_;
  const FieldDescriptor& field_;
};

class MessageReader {
 public:
  ReadFindings Run(const YamlNode& root, Message& message) {
    findings_.positions[""] = root.position;
    if (IsUsable(root, "", root.position)) ReadFields(root, "", message);
    return std::move(findings_);
  }

 private:
  void Report(Position position, const std::string& path, std::string message) {
    findings_.faults.push_back({.file = "",
                                .position = position,
                                .field = path,
                                .message = std::move(message)});
  }

  bool IsUsable(const YamlNode& node, const std::string& path,
                Position position) {
    if (!node.fault.empty()) Report(position, path, node.fault);
    return node.fault.empty();
  }

  void ReadFields(const YamlNode& node, const std::string& path,
                  Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    if (node.kind != Kind::kMap) {
      return Report(node.position, path,
                    "is " + KindWord(node.kind) + "; a map is expected: " +
                        SuggestWord("", KeysOf(type)));
    }
    std::map<std::string, Position> seen;
    for (const YamlNode& entry : node.children) {
      const std::string entry_path = PathOf(path, entry.key);
      if (!IsUsable(entry, entry_path, entry.key_position)) continue;
      const auto [first, is_new] = seen.emplace(entry.key, entry.key_position);
      const FieldDescriptor* field = FindKey(type, entry.key);
      if (field == nullptr) {
        Report(entry.key_position, entry_path,
               "unknown key " + Quote(entry.key) + "; " +
                   SuggestWord(entry.key, KeysOf(type)));
      } else if (!is_new) {
        Report(entry.key_position, entry_path,
               "is given twice; the first is in line " +
                   std::to_string(first->second.line));
      } else if (const FieldDescriptor* other =
                     ChosenInstead(message, *field)) {
        Report(entry.key_position, entry_path,
               "cannot stand beside " + other->json_name() +
                   "; write an item of its own");
      } else {
        ReadField(entry, entry_path, message, *field);
      }
    }
  }

  void ReadField(const YamlNode& node, const std::string& path,
                 Message& message, const FieldDescriptor& field) {
    const bool single = node.kind == Kind::kScalar;
    findings_.positions[path] = single ? node.position : node.key_position;
    if (node.kind == Kind::kNull) {
      return Report(node.key_position, path,
                    "has no value; give it one or remove the key");
    }
    Slot slot(message, field);
    if (!field.is_repeated()) return ReadValue(node, path, slot);
    ReadList(node, path, slot);
  }

  void ReadList(const YamlNode& node, const std::string& path, Slot& slot) {
    if (node.kind != Kind::kSequence) {
      return Report(node.position, path,
                    "is " + KindWord(node.kind) + "; a list is expected");
    }
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const std::string item_path = path + "[" + std::to_string(i) + "]";
      ReadItem(node.children[i], item_path, slot);
    }
  }

  void ReadItem(const YamlNode& node, const std::string& path, Slot& slot) {
    findings_.positions[path] = node.position;
    const int size_before = slot.Size();
    if (IsUsable(node, path, node.position)) ReadValue(node, path, slot);
    if (slot.Size() == size_before) slot.AddEmpty();
  }

  void ReadValue(const YamlNode& node, const std::string& path, Slot& slot) {
    if (slot.field().cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message& inner = slot.NewMessage();
      const Descriptor& type = *inner.GetDescriptor();
      if (HasUnit(type) && node.kind == Kind::kScalar) {
        return ReadWithUnit(node, path, inner);
      }
      const FieldDescriptor* short_form = ShortFormField(type);
      if (short_form != nullptr && node.kind != Kind::kMap) {
        Slot only(inner, *short_form);
        return short_form->is_repeated() ? ReadList(node, path, only)
                                         : ReadValue(node, path, only);
      }
      return ReadFields(node, path, inner);
    }
    if (node.kind != Kind::kScalar) {
      return Report(
          node.position, path,
          "is " + KindWord(node.kind) + "; a single value is expected");
    }
    ReadScalar(node, path, slot);
  }

  // Sets what was parsed, or reports why it was not.
  template <typename Value, typename Setter>
  void Take(const Parsed<Value>& parsed, const YamlNode& node,
            const std::string& path, const Setter& set) {
    if (parsed) {
      set(*parsed);
    } else {
      Report(node.position, path, parsed.error());
    }
  }

  void ReadWithUnit(const YamlNode& node, const std::string& path,
                    Message& message) {
    if (message.GetDescriptor() == v1::BitRate::descriptor()) {
      Take(ParseBitRate(node.text), node, path, [&](std::uint64_t bits) {
        static_cast<v1::BitRate&>(message).set_bits_per_second(bits);
      });
    } else if (message.GetDescriptor() == v1::Percentage::descriptor()) {
      Take(ParsePercentage(node.text), node, path, [&](std::uint32_t part) {
        static_cast<v1::Percentage&>(message).set_hundredths(part);
      });
    } else {
      Take(ParseDuration(node.text), node, path,
           [&](std::chrono::nanoseconds duration) {
             static_cast<google::protobuf::Duration&>(message) =
                 TimeUtil::NanosecondsToDuration(duration.count());
           });
    }
  }

  void ReadScalar(const YamlNode& node, const std::string& path, Slot& slot) {
    constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
    constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();
    switch (slot.field().cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: return slot.Set(node.text);
      case FieldDescriptor::CPPTYPE_ENUM: return ReadEnum(node, path, slot);
      case FieldDescriptor::CPPTYPE_UINT32:
        return Take(ParseUnsigned(node.text, kMax32), node, path,
                    [&](std::uint64_t number) {
                      slot.Set(static_cast<std::uint32_t>(number));
                    });
      case FieldDescriptor::CPPTYPE_UINT64:
        return Take(ParseUnsigned(node.text, kMax64), node, path,
                    [&](std::uint64_t number) { slot.Set(number); });
      case FieldDescriptor::CPPTYPE_BOOL:
        if (node.text == "true" || node.text == "false") {
          return slot.Set(node.text == "true");
        }
        return Report(node.position, path,
                      Quote(node.text) + " is neither true nor false");
      default:
        return Report(node.position, path,
                      "is of a kind that a spec file cannot hold");
    }
  }

  void ReadEnum(const YamlNode& node, const std::string& path, Slot& slot) {
    const google::protobuf::EnumDescriptor& type = *slot.field().enum_type();
    const auto* const value = FindEnumWord(type, node.text);
    if (value != nullptr) return slot.Set(value);
    Report(node.position, path,
           Quote(node.text) + " is not known; " +
               SuggestWord(node.text, EnumWords(type)));
  }

  ReadFindings findings_;
};

}  // namespace

ReadFindings ReadMessage(const YamlNode& root, Message& message) {
  return MessageReader().Run(root, message);
}

}  // namespace uplinkd
