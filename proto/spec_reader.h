// The spec reader: YAML or JSON text -> uplinkd.v1.Router.
//
// The one reader of specs, for the client, the agent's --spec and the tests.
// It walks the message's descriptor, so a new field of the proto needs no code
// here. It finds every fault before it answers, each with its place in the
// file, and it never guesses: an unknown key or unit is a fault.
#ifndef UPLINKD_PROTO_SPEC_READER_H_
#define UPLINKD_PROTO_SPEC_READER_H_

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "reconciler/spec.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {

// Larger files are refused unread.
inline constexpr std::size_t kMaxSpecBytes = 1 << 20;

// A place in a file, counted from 1; 0 where it is not known.
struct Position {
  int line = 0;
  int column = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

// One fault, as the operator sees it.
struct SpecFault {
  std::string file;
  Position position;
  std::string field;  // "spec.uplinks[1].weight"; "" for the whole file
  std::string message;
  bool no_spec = false;  // nothing but white space and comments is there

  friend auto operator<=>(const SpecFault&, const SpecFault&) = default;
};

// A spec that was read, and where in the file each of its fields stands.
struct SpecFile {
  uplinkd::v1::Router router;
  std::map<std::string, Position> positions;  // by field path
  std::string file;
};

// Reads one spec. On failure, every fault at once, in the order of the file:
// syntax, unknown keys (with the nearest known one), types and units, and with
// them what Validate() finds in the rest. A file that can be read at all may
// still break Validate(): see SpecFromProto(). Beyond 100 faults the rest is
// only counted. `file_name` is only for faults.
tl::expected<SpecFile, std::vector<SpecFault>> ReadSpecText(
    std::string_view text, std::string file_name);

// The same from a file; "-" is standard input. A file that cannot be opened is
// one fault with the system's words.
tl::expected<SpecFile, std::vector<SpecFault>> ReadSpecFile(
    const std::string& path);

// Gives violations their places in the file: that of the field, or of the
// nearest field around it that the file has. In the order of the file.
std::vector<SpecFault> Locate(const SpecFile& file,
                              const std::vector<Violation>& violations);

// "office.yaml:12:15: spec.uplinks[1].weight: ...". One line of text, whatever
// keys and words of the file are part of it: control characters become "?".
std::string RenderFault(const SpecFault& fault);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_SPEC_READER_H_
