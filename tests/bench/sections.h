// The benchmark's sections. Each builds its own lab, measures ours and the
// floor in turns, and prints its rows. They return false if something did not
// work, after saying what.
#ifndef UPLINKD_TESTS_BENCH_SECTIONS_H_
#define UPLINKD_TESTS_BENCH_SECTIONS_H_

namespace uplinkd::bench {

bool MeasurePasses();        // a pass that finds nothing to do
bool MeasureWholeSpec();     // 32 uplinks from nothing
bool MeasureHealthChange();  // from a verdict to the kernel
bool MeasureRepairs();       // from a foreign deletion to the return
bool MeasureForwarding();    // small packets of established connections
bool MeasureFootprint();     // memory and idle processor time
bool MeasureScrape();        // of the metrics, while passes write
bool MeasureCounting();      // of a full conntrack table
bool MeasureRequests();      // to the agent, and a thousand who watch

}  // namespace uplinkd::bench

#endif  // UPLINKD_TESTS_BENCH_SECTIONS_H_
