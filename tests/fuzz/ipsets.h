// Ipsets without a kernel, in the place of reconciler/linux/ipset.cc.
#ifndef UPLINKD_TESTS_FUZZ_IPSETS_H_
#define UPLINKD_TESTS_FUZZ_IPSETS_H_

namespace uplinkd::testing {

// Every name that is asked for is that of a set from then on. "set7" has the
// number 7, and any other name the next one from 60000; this forgets the
// others.
void ForgetIpsets();

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_FUZZ_IPSETS_H_
