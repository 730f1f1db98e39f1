// What there is to say of a confirmation, as messages of the service and of the
// file spec.json. Pure.
#ifndef UPLINKD_AGENT_CONFIRM_WIRE_H_
#define UPLINKD_AGENT_CONFIRM_WIRE_H_

#include <google/protobuf/repeated_ptr_field.h>

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/confirm.h"
#include "agent/spec_store.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

v1::StoredConfirm ToProto(const PendingConfirm& pending);
// Or what is wrong with it.
tl::expected<PendingConfirm, std::string> FromProto(
    const v1::StoredConfirm& stored);

// The checks that the messages mean, or the first fault among them.
Result<std::vector<Probe>> ChecksFromProto(
    const google::protobuf::RepeatedPtrField<v1::Probe>& probes);

// Of a spec that waits; `checks_fault` as in the message.
v1::ConfirmStatus ToConfirmStatus(const StoredSpec& stored, const Moment& now,
                                  const std::string& checks_fault);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CONFIRM_WIRE_H_
