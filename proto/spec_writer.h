// The spec writer: uplinkd.v1.Router -> YAML or JSON text.
//
// With human units (40mbit, 250ms) and only the fields that are set. What it
// writes, the spec reader reads back as the same message.
#ifndef UPLINKD_PROTO_SPEC_WRITER_H_
#define UPLINKD_PROTO_SPEC_WRITER_H_

#include <string>

#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {

// Block style, two spaces, ends in a newline.
std::string WriteSpecYaml(const uplinkd::v1::Router& router);

// Indented by two spaces, ends in a newline.
std::string WriteSpecJson(const uplinkd::v1::Router& router);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_SPEC_WRITER_H_
