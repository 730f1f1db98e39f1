// Purpose: what an object of a plan is there for, for people who read it.
//
// A step's own reason says why the kernel differs from the spec; this says why
// the spec compiles to the object at all. docs/design.md has the whole story.
#ifndef UPLINKD_CLI_PURPOSE_H_
#define UPLINKD_CLI_PURPOSE_H_

#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/plan.h"

namespace uplinkd {

// The heading for the steps of a stage.
std::string HeadingOf(Stage stage);

// A sentence for each line that RenderStep() makes of `step`, in its order.
std::vector<std::string> PurposesOf(const Step& step, const Desired& desired);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_PURPOSE_H_
