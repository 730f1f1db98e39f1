// What holds for the bytes of every rule: those that we write, and those that
// we read.
#ifndef UPLINKD_TESTS_FUZZ_RULE_LAWS_H_
#define UPLINKD_TESTS_FUZZ_RULE_LAWS_H_

#include "reconciler/chain.h"

namespace uplinkd::testing {

// A rule that can be written is the same one when its bytes are read. Whether
// it could be.
bool RequireSurvivesItsBytes(Family family, const ChainRule& rule);

// Whether a rule has a part that we never write.
bool HasForeignPart(const ChainRule& rule);

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_FUZZ_RULE_LAWS_H_
