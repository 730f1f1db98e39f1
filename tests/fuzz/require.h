// Require: what must hold for every input of a fuzz target.
//
// A target asserts laws, not only that nothing crashes. libFuzzer keeps the
// input that breaks one.
#ifndef UPLINKD_TESTS_FUZZ_REQUIRE_H_
#define UPLINKD_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>
#include <string>

namespace uplinkd::testing {

// Ends the program, with the law in words, unless it `holds`.
inline void Require(bool holds, const char* law,
                    const std::string& detail = "") {
  if (holds) return;
  std::fprintf(stderr, "BROKEN: %s\n%s\n", law, detail.c_str());
  std::abort();
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_FUZZ_REQUIRE_H_
