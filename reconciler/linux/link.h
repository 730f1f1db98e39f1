// Links: what the host's network interfaces are like, and their numbers.
//
// The reading side of Facts. Nothing here is written to the kernel.
#ifndef UPLINKD_RECONCILER_LINUX_LINK_H_
#define UPLINKD_RECONCILER_LINUX_LINK_H_

#include <map>
#include <string>
#include <utility>

#include "reconciler/facts.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"

namespace uplinkd {

// Translates between names and numbers of links. Remembers its answers, so it
// must not live longer than one call into the kernel edge: names change.
class LinkNames {
 public:
  // `socket` must outlive it. `known` was read just now.
  explicit LinkNames(const NlSocket& socket,
                     std::map<int, std::string> known = {})
      : fd_(socket.fd()), names_(std::move(known)) {
    for (const auto& [index, name] : names_) indexes_.emplace(name, index);
  }

  // "" if there is no such link any more.
  const std::string& NameOf(int index);
  // 0 if there is no such link.
  int IndexOf(const std::string& name);

 private:
  int fd_;
  std::map<int, std::string> names_;
  std::map<std::string, int> indexes_;
};

// What `scope` asks for. Costs a question per link, and, per family, another
// per default route and one list of all addresses.
Result<Facts> ReadFacts(NlSocket& socket, const FactsScope& scope);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_LINK_H_
