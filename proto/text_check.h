// The first look at a spec's bytes: is it text at all?
#ifndef UPLINKD_PROTO_TEXT_CHECK_H_
#define UPLINKD_PROTO_TEXT_CHECK_H_

#include <optional>
#include <string_view>

#include "proto/spec_reader.h"

namespace uplinkd {

// The first byte that does not belong into UTF-8 text, or a control character
// other than tab and line breaks (the YAML library takes 0x04 for the end).
// `file` and `field` of the fault are empty. Pure.
std::optional<SpecFault> CheckText(std::string_view text);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_TEXT_CHECK_H_
