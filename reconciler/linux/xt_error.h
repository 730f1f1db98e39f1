// errno -> Error for everything that touches the xtables.
#ifndef UPLINKD_RECONCILER_LINUX_XT_ERROR_H_
#define UPLINKD_RECONCILER_LINUX_XT_ERROR_H_

#include <string>
#include <string_view>

#include "reconciler/chain.h"
#include "reconciler/result.h"

namespace uplinkd {

// "`doing`: `words` (ENOENT)". `doing` reads like "cannot commit the nat
// table"; `words` are libiptc's, or empty for the C library's.
Error XtError(std::string_view doing, int system_errno,
              std::string_view words = {});

// The same for a first access to `table`: says as well what to do if this
// kernel has no legacy tables or a capability is missing.
Error XtAccessError(XtTable table, std::string_view doing, int system_errno,
                    std::string_view words = {});

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_ERROR_H_
