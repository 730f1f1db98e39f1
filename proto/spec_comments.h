// SpecComments: spec.proto with its comments, as a part of the program.
//
// protoc leaves comments out of the code that it generates; this is what it
// says with --include_source_info when the program is built (embed.cmake).
#ifndef UPLINKD_PROTO_SPEC_COMMENTS_H_
#define UPLINKD_PROTO_SPEC_COMMENTS_H_

#include <string_view>

namespace uplinkd {

// A serialized FileDescriptorSet of spec.proto and what it imports. Lives as
// long as the program.
std::string_view SpecDescriptorSet();

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_SPEC_COMMENTS_H_
