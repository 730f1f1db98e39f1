// LinkNews: whether an event of the kernel's is news to us.
//
// Remembers what was last heard of each link, so that statistics, scans and the
// like do not wake us. Every other event is news.
#ifndef UPLINKD_RECONCILER_LINUX_LINK_NEWS_H_
#define UPLINKD_RECONCILER_LINUX_LINK_NEWS_H_

#include <map>
#include <string>

struct nlmsghdr;

namespace uplinkd {

class LinkNews {
 public:
  // True: a pass must look at what happened.
  bool Matters(nlmsghdr* message);
  // Some events were lost.
  void Forget() { links_.clear(); }

 private:
  struct Seen {
    std::string name;
    unsigned flags = 0;
    friend auto operator<=>(const Seen&, const Seen&) = default;
  };

  std::map<int, Seen> links_;  // by number
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_LINK_NEWS_H_
