// Bytes from outside: is it text at all, and is it fit to be shown?
#ifndef UPLINKD_PROTO_TEXT_CHECK_H_
#define UPLINKD_PROTO_TEXT_CHECK_H_

#include <optional>
#include <string>
#include <string_view>

#include "proto/spec_reader.h"

namespace uplinkd {

// The first byte that does not belong into UTF-8 text, or a control character
// other than tab and line breaks (the YAML library takes 0x04 for the end).
// `file` and `field` of the fault are empty. Pure.
std::optional<SpecFault> CheckText(std::string_view text);

// `text` fit for one line of a terminal: control characters (C0, DEL and C1)
// and bytes that are not UTF-8 as "\n" or "\x1b", all else as it is. Pure.
std::string VisibleText(std::string_view text);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_TEXT_CHECK_H_
