#include "agent/privileges.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>

namespace uplinkd {
namespace {

constexpr std::array<cap_value_t, 2> kNeeded = {CAP_NET_ADMIN, CAP_NET_RAW};

struct FreeCapabilities {
  void operator()(cap_t capabilities) const { cap_free(capabilities); }
};
using Capabilities =
    std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

bool IsNeeded(cap_value_t capability) {
  return std::ranges::find(kNeeded, capability) != kNeeded.end();
}

tl::unexpected<Error> Refused(const std::string& doing) {
  return Fail(ErrorCode::kPermissionDenied,
              "cannot " + doing + ": " + std::generic_category().message(errno),
              errno);
}

bool Has(cap_t capabilities, cap_value_t capability, cap_flag_t set) {
  cap_flag_value_t value = CAP_CLEAR;
  return cap_get_flag(capabilities, capability, set, &value) == 0 &&
         value == CAP_SET;
}

// Without CAP_SETPCAP nothing can be taken out of the bounding set. It is for
// programs with capabilities of their own, which no_new_privs forbids as well.
Result<void> NarrowBoundingSet(cap_t now) {
  if (!Has(now, CAP_SETPCAP, CAP_EFFECTIVE)) return {};
  for (cap_value_t capability = 0; capability < cap_max_bits(); ++capability) {
    if (IsNeeded(capability) || cap_get_bound(capability) != 1) continue;
    if (cap_drop_bound(capability) != 0) {
      return Refused("narrow the bounding set of capabilities");
    }
  }
  return {};
}

// The needed ones of `now`, by set. What leaves the inheritable set leaves the
// ambient set as well.
Capabilities NeededOf(cap_t now) {
  Capabilities kept(cap_init());
  if (!kept) return kept;
  for (const cap_value_t capability : kNeeded) {
    const bool permitted = Has(now, capability, CAP_PERMITTED);
    for (const cap_flag_t set :
         {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE}) {
      const bool keep =
          set == CAP_INHERITABLE ? Has(now, capability, set) : permitted;
      cap_set_flag(kept.get(), set, 1, &capability, keep ? CAP_SET : CAP_CLEAR);
    }
  }
  return kept;
}

}  // namespace

Result<void> KeepNeededPrivileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Refused("forbid new privileges");
  }
  const Capabilities now(cap_get_proc());
  if (!now) return Refused("read the capabilities");
  if (Result<void> narrowed = NarrowBoundingSet(now.get()); !narrowed) {
    return narrowed;
  }
  const Capabilities kept = NeededOf(now.get());
  if (!kept) return Refused("make a set of capabilities");
  // A sandbox need not allow capset() where there is nothing to give up.
  if (cap_compare(now.get(), kept.get()) == 0) return {};
  if (cap_set_proc(kept.get()) != 0) return Refused("give up capabilities");
  return {};
}

}  // namespace uplinkd
