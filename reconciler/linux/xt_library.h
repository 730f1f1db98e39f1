// XtLibrary: libip4tc and libip6tc behind one set of functions.
//
// Entries are bytes here; XtLayout says what lies where in them. The functions
// mean what those of libiptc of the same names mean, errno included.
#ifndef UPLINKD_RECONCILER_LINUX_XT_LIBRARY_H_
#define UPLINKD_RECONCILER_LINUX_XT_LIBRARY_H_

#include <cstddef>
#include <memory>

#include "reconciler/ip.h"

struct xtc_handle;
struct xt_counters;

namespace uplinkd {

struct XtLibrary {
  xtc_handle* (*init)(const char* table);
  void (*free)(xtc_handle* handle);
  const char* (*strerror)(int number);
  const char* (*first_chain)(xtc_handle* handle);
  const char* (*next_chain)(xtc_handle* handle);
  const std::byte* (*first_rule)(const char* chain, xtc_handle* handle);
  const std::byte* (*next_rule)(const std::byte* entry, xtc_handle* handle);
  const char* (*get_target)(const std::byte* entry, xtc_handle* handle);
  int (*builtin)(const char* chain, xtc_handle* handle);
  const char* (*get_policy)(const char* chain, xt_counters* counters,
                            xtc_handle* handle);
  int (*set_policy)(const char* chain, const char* policy,
                    xt_counters* counters, xtc_handle* handle);
  int (*create_chain)(const char* chain, xtc_handle* handle);
  int (*flush_entries)(const char* chain, xtc_handle* handle);
  int (*delete_chain)(const char* chain, xtc_handle* handle);
  int (*insert_entry)(const char* chain, const std::byte* entry,
                      unsigned int position, xtc_handle* handle);
  int (*delete_num_entry)(const char* chain, unsigned int position,
                          xtc_handle* handle);
  int (*commit)(xtc_handle* handle);
};

const XtLibrary& LibraryOf(Family family);

struct FreeXtHandle {
  const XtLibrary* library = nullptr;
  void operator()(xtc_handle* handle) const { library->free(handle); }
};
using XtHandle = std::unique_ptr<xtc_handle, FreeXtHandle>;

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_LIBRARY_H_
