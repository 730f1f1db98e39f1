// MutateMessage: random changes to a message, by its descriptor.
//
// Bytes of a message that are changed at random are mostly no message any more:
// lengths are nested in lengths. This changes what they mean.
#ifndef UPLINKD_TESTS_FUZZ_MESSAGE_MUTATOR_H_
#define UPLINKD_TESTS_FUZZ_MESSAGE_MUTATOR_H_

#include <google/protobuf/message.h>

#include <random>

namespace uplinkd::testing {

// One change: a field is set, cleared, or given another value; an item of a
// list comes, goes, is doubled or changes place.
void MutateMessage(google::protobuf::Message& message, std::mt19937& random);

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_FUZZ_MESSAGE_MUTATOR_H_
