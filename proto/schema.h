// The schema: what a spec file may look like, as a JSON Schema for editors.
//
// Made from the message's descriptor, as the message reader reads by it, so
// that both take the same keys and forms. The schema knows no more than the
// form of a file: whatever the reader and the validation accept, it accepts.
#ifndef UPLINKD_PROTO_SCHEMA_H_
#define UPLINKD_PROTO_SCHEMA_H_

#include <string>

namespace uplinkd {

// Draft 2020-12, indented by two spaces; ends in a newline. Descriptions are
// the comments of spec.proto.
std::string SpecSchema();

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_SCHEMA_H_
