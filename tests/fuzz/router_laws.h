// What holds for every router message that was accepted, wherever it came from.
#ifndef UPLINKD_TESTS_FUZZ_ROUTER_LAWS_H_
#define UPLINKD_TESTS_FUZZ_ROUTER_LAWS_H_

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

#include "proto/spec_reader.h"
#include "reconciler/spec.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd::testing {

// Unknown fields included.
bool SameMessage(const google::protobuf::Message& a,
                 const google::protobuf::Message& b);

// Each fault has a text fit for one line of a terminal, and a place in `text`.
void RequireFaults(const std::vector<SpecFault>& faults, std::string_view text);

// Each violation has a text fit for one line of a terminal.
void RequireViolations(const std::vector<Violation>& violations);

// What the writer makes of `router`, the reader reads back as the same message,
// in YAML and in JSON.
void RequireReadsBack(const v1::Router& router);

// `spec` is valid, and becomes a message that means the same spec.
void RequireConvertsBack(const Spec& spec);

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_FUZZ_ROUTER_LAWS_H_
