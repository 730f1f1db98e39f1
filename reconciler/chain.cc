#include "reconciler/chain.h"

namespace uplinkd {

std::string_view XtTableName(XtTable table) {
  return table == XtTable::kMangle ? "mangle" : "nat";
}

std::string_view XtHookName(XtHook hook) {
  switch (hook) {
    case XtHook::kPrerouting: return "PREROUTING";
    case XtHook::kOutput: return "OUTPUT";
    case XtHook::kPostrouting: return "POSTROUTING";
  }
  return "";
}

}  // namespace uplinkd
