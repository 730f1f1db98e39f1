#include "reconciler/linux/xt_library.h"

#include <libiptc/libiptc.h>

// Unlike the other one it does not say so itself.
extern "C" {
#include <libiptc/libip6tc.h>
}

namespace uplinkd {
namespace {

// The two libraries differ in the prefix of their functions and the type of
// their entries.
#define UPLINKD_XT_LIBRARY(prefix, Entry)                                      \
  {                                                                            \
    .init = prefix##_init, .free = prefix##_free,                              \
    .strerror = prefix##_strerror, .first_chain = prefix##_first_chain,        \
    .next_chain = prefix##_next_chain,                                         \
    .first_rule =                                                              \
        [](const char* chain, xtc_handle* handle) {                            \
          return reinterpret_cast<const std::byte*>(                           \
              prefix##_first_rule(chain, handle));                             \
        },                                                                     \
    .next_rule =                                                               \
        [](const std::byte* entry, xtc_handle* handle) {                       \
          return reinterpret_cast<const std::byte*>(prefix##_next_rule(        \
              reinterpret_cast<const Entry*>(entry), handle));                 \
        },                                                                     \
    .get_target =                                                              \
        [](const std::byte* entry, xtc_handle* handle) {                       \
          return prefix##_get_target(reinterpret_cast<const Entry*>(entry),    \
                                     handle);                                  \
        },                                                                     \
    .builtin = prefix##_builtin, .get_policy = prefix##_get_policy,            \
    .set_policy = prefix##_set_policy, .create_chain = prefix##_create_chain,  \
    .flush_entries = prefix##_flush_entries,                                   \
    .delete_chain = prefix##_delete_chain,                                     \
    .insert_entry =                                                            \
        [](const char* chain, const std::byte* entry, unsigned int position,   \
           xtc_handle* handle) {                                               \
          return prefix##_insert_entry(                                        \
              chain, reinterpret_cast<const Entry*>(entry), position, handle); \
        },                                                                     \
    .delete_num_entry = prefix##_delete_num_entry, .commit = prefix##_commit   \
  }

constexpr XtLibrary kIpv4 = UPLINKD_XT_LIBRARY(iptc, ipt_entry);
constexpr XtLibrary kIpv6 = UPLINKD_XT_LIBRARY(ip6tc, ip6t_entry);

#undef UPLINKD_XT_LIBRARY

}  // namespace

const XtLibrary& LibraryOf(Family family) {
  return family == Family::kIpv4 ? kIpv4 : kIpv6;
}

}  // namespace uplinkd
