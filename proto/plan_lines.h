// PlanLines: a report's plan as the messages that clients print.
#ifndef UPLINKD_PROTO_PLAN_LINES_H_
#define UPLINKD_PROTO_PLAN_LINES_H_

#include <google/protobuf/repeated_ptr_field.h>

#include "reconciler/reconcile.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

using PlanLines = google::protobuf::RepeatedPtrField<v1::PlanLine>;

// A line per object, with what became of it unless the plan was not executed.
PlanLines ToPlanLines(const Report& report);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_PLAN_LINES_H_
