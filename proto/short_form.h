// Short forms: messages that a file may write as one of their fields alone.
#ifndef UPLINKD_PROTO_SHORT_FORM_H_
#define UPLINKD_PROTO_SHORT_FORM_H_

#include <google/protobuf/descriptor.h>

namespace uplinkd {

// The field whose value may stand for a whole message of this type: a list for
// a Tier, a word for a PolicyMember. Null for all others.
const google::protobuf::FieldDescriptor* ShortFormField(
    const google::protobuf::Descriptor& type);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_SHORT_FORM_H_
