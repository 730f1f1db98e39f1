// Conversion between the outside's message and the core's Spec.
//
//   uplinkd.v1.Router  <->  Spec
//
// The only place that knows both. Defaults are filled in here, once. Pure.
#ifndef UPLINKD_PROTO_CONVERT_H_
#define UPLINKD_PROTO_CONVERT_H_

#include <string_view>
#include <vector>

#include "reconciler/spec.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {

inline constexpr std::string_view kApiVersion = "uplinkd/v1";
inline constexpr std::string_view kKind = "Router";

struct Converted {
  Spec spec;  // usable only if there are no violations
  // Of the conversion (an address that is none) and of Validate(), in the
  // order of the fields. The paths are those of the message.
  std::vector<Violation> violations;
};

// The spec that the message means, every default filled in. An empty
// api_version or kind is accepted: a message says by its type what it is.
Converted SpecFromProto(const uplinkd::v1::Router& router);

// The message that means `spec`, every default written out. SpecFromProto()
// gives back the same spec.
uplinkd::v1::Router SpecToProto(const Spec& spec);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_CONVERT_H_
