// The YAML tree: a document as nodes that know their places in the text.
//
// Between the text and the reader of messages. JSON is read as the part of YAML
// that it is. What a spec has no use for (anchors, aliases, tags, keys that are
// not words) becomes a fault on its node, so a document cannot grow beyond its
// text.
#ifndef UPLINKD_PROTO_YAML_TREE_H_
#define UPLINKD_PROTO_YAML_TREE_H_

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "proto/spec_reader.h"

namespace uplinkd {

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  Position position;
  std::string text;                // of a scalar
  std::string key;                 // of an entry of a map
  Position key_position;           //
  std::vector<YamlNode> children;  // items or entries, in the order of the text
  std::string fault;  // why this node cannot be used; "" for a good one
};

// The one document of `text`. Failure: what is wrong with the syntax or the
// encoding, or that there is no document or a second one; `file` and `field` of
// the fault are empty.
tl::expected<YamlNode, SpecFault> ParseYaml(std::string_view text);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_YAML_TREE_H_
