// The words that a spec file has for the values of an enum.
#ifndef UPLINKD_PROTO_ENUM_NAMES_H_
#define UPLINKD_PROTO_ENUM_NAMES_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

namespace uplinkd {

// ALGORITHM_LEAST_LOADED of the enum Algorithm is "least-loaded".
std::string EnumWord(const google::protobuf::EnumValueDescriptor& value);

// All words of the enum in its order, without the unspecified value (0).
std::vector<std::string> EnumWords(
    const google::protobuf::EnumDescriptor& type);

// The value that `word` stands for; null if there is none.
const google::protobuf::EnumValueDescriptor* FindEnumWord(
    const google::protobuf::EnumDescriptor& type, const std::string& word);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_ENUM_NAMES_H_
