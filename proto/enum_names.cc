#include "proto/enum_names.h"

namespace uplinkd {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;

// The values of a proto enum begin with its name: LinkState -> "link-state-".
std::string WordPrefix(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !prefix.empty()) prefix += '-';
    prefix += upper ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return prefix + "-";
}

}  // namespace

std::string EnumWord(const EnumValueDescriptor& value) {
  std::string word;
  for (const char c : value.name()) {
    if (c == '_') {
      word += '-';
    } else {
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
  }
  const std::string prefix = WordPrefix(*value.type());
  return word.starts_with(prefix) ? word.substr(prefix.size()) : word;
}

std::vector<std::string> EnumWords(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) words.push_back(EnumWord(*type.value(i)));
  }
  return words;
}

const EnumValueDescriptor* FindEnumWord(const EnumDescriptor& type,
                                        const std::string& word) {
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor* value = type.value(i);
    if (value->number() != 0 && EnumWord(*value) == word) return value;
  }
  return nullptr;
}

}  // namespace uplinkd
