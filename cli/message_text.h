// Protobuf messages as JSON and YAML, for -o json and -o yaml.
//
// Both have the same keys, the camelCase names of the proto's JSON mapping,
// and both print fields that have their default, so that a reader can rely on
// finding them.
#ifndef UPLINKD_CLI_MESSAGE_TEXT_H_
#define UPLINKD_CLI_MESSAGE_TEXT_H_

#include <google/protobuf/message.h>

#include <string>

namespace uplinkd {

enum class JsonStyle {
  kIndented,
  kOneLine,  // for streams
};

// Ends in a newline.
std::string WriteJson(const google::protobuf::Message& message,
                      JsonStyle style);

// Ends in a newline. As in JSON, 64-bit numbers are strings.
std::string WriteYaml(const google::protobuf::Message& message);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_MESSAGE_TEXT_H_
