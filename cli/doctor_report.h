// The doctor's findings as text and as JSON.
#ifndef UPLINKD_CLI_DOCTOR_REPORT_H_
#define UPLINKD_CLI_DOCTOR_REPORT_H_

#include <string>
#include <vector>

#include "cli/screen.h"
#include "reconciler/doctor.h"

namespace uplinkd {

// One block per finding, and a last line that counts them.
void PrintFindings(const std::vector<Finding>& findings, const Screen& screen);

// {"findings": [{"severity", "id", "what", "why", "mend"}, ...]}
std::string FindingsJson(const std::vector<Finding>& findings);

// Whether there is anything to mend: notes are not.
bool AnythingToMend(const std::vector<Finding>& findings);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_DOCTOR_REPORT_H_
