// Faults and cases: how the tests of Validate() say what breaks a rule of a
// spec, and what comes back.
#ifndef UPLINKD_TESTS_CORE_VALIDATE_CASES_H_
#define UPLINKD_TESTS_CORE_VALIDATE_CASES_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "reconciler/spec.h"
#include "tests/core/builders.h"

namespace uplinkd::testing {

inline std::vector<std::string> Faults(const Spec& spec) {
  std::vector<std::string> lines;
  for (const Violation& violation : Validate(spec)) {
    lines.push_back(violation.field + ": " + violation.message);
  }
  return lines;
}

// Something good, one thing done to it, and all that Validate() then says.
template <typename Good>
struct Spoiled {
  const char* name;
  std::function<void(Good&)> spoil;
  const char* fault;
};
using Case = Spoiled<Spec>;

template <typename Good>
void PrintTo(const Spoiled<Good>& test_case, std::ostream* out) {
  *out << test_case.name;
}

struct CaseName {
  template <typename Good>
  std::string operator()(
      const ::testing::TestParamInfo<Spoiled<Good>>& info) const {
    return info.param.name;
  }
};

// For TEST_P of a suite's own: a macro of GoogleTest's wants one per file.
class ValidateCase : public ::testing::TestWithParam<Case> {
 protected:
  static void Check() {
    Spec spec = TwoUplinkSpec();
    GetParam().spoil(spec);
    EXPECT_THAT(Faults(spec), ::testing::ElementsAre(GetParam().fault));
  }
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_VALIDATE_CASES_H_
