// The message reader: YAML tree -> message, by the message's descriptor.
//
// Knows the kinds of fields and how a file writes them, but no field by name.
// It goes on after a fault, so that one reading finds all of them.
#ifndef UPLINKD_PROTO_MESSAGE_READER_H_
#define UPLINKD_PROTO_MESSAGE_READER_H_

#include <google/protobuf/message.h>

#include <map>
#include <string>
#include <vector>

#include "proto/spec_reader.h"
#include "proto/yaml_tree.h"

namespace uplinkd {

struct ReadFindings {
  std::map<std::string, Position> positions;  // by field path; "" is the root
  std::vector<SpecFault> faults;              // `file` is empty
};

// Fills `message` from `root`. What is at fault stays unset; an item of a list
// that is at fault stays as an empty one, so that indices keep their meaning.
ReadFindings ReadMessage(const YamlNode& root,
                         google::protobuf::Message& message);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_MESSAGE_READER_H_
