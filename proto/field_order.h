// The order of a spec's fields: that of the proto file.
//
// Faults are listed in this order where there is no file to take one from.
#ifndef UPLINKD_PROTO_FIELD_ORDER_H_
#define UPLINKD_PROTO_FIELD_ORDER_H_

#include <string_view>

namespace uplinkd {

// Whether the field at path `a` ("spec.uplinks[1].name") of a Router comes
// before the one at `b`. A field comes before those inside it; names that no
// message has come last.
bool FieldOrderLess(std::string_view a, std::string_view b);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_FIELD_ORDER_H_
