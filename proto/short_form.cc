#include "proto/short_form.h"

#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {

const google::protobuf::FieldDescriptor* ShortFormField(
    const google::protobuf::Descriptor& type) {
  if (&type == v1::Tier::descriptor()) return type.FindFieldByName("members");
  if (&type == v1::PolicyMember::descriptor()) {
    return type.FindFieldByName("uplink");
  }
  return nullptr;
}

}  // namespace uplinkd
