#include "reconciler/linux/host_xtables.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "reconciler/linux/host_marks.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/linux/xt_layout.h"
#include "reconciler/linux/xt_modules.h"

namespace uplinkd {
namespace {

// What a title begins with if the table is one of ip6tables.
constexpr std::string_view kIp6 = "ip6 ";

// 0, or the errno of the question.
int AskTable(Family family, const std::string& table) {
  const UniqueFd fd(OpenXtSocket(family));
  if (!fd) return errno;
  ipt_getinfo info{};
  table.copy(info.name, sizeof(info.name) - 1);
  return AskXt(family, fd.get(), IPT_SO_GET_INFO, &info, sizeof(info)) == 0
             ? 0
             : errno;
}

// `option` is IPT_SO_GET_REVISION_MATCH or _TARGET.
int AskExtension(const std::string& name, int option) {
  const UniqueFd fd(OpenXtSocket(Family::kIpv4));
  if (!fd) return errno;
  xt_get_revision revision{};
  name.copy(revision.name, sizeof(revision.name) - 1);
  return AskXt(Family::kIpv4, fd.get(), option, &revision, sizeof(revision)) >=
                 0
             ? 0
             : errno;
}

// Asked in a network namespace of its own, since the question registers the
// table in the namespace where it is asked, for good.
int AskTableElsewhere(Family family, const std::string& table) {
  int error = 0;
  std::thread asker([&] {
    error = unshare(CLONE_NEWNET) == 0 ? AskTable(family, table) : errno;
  });
  asker.join();
  return error;
}

Presence PresenceOf(int error) {
  switch (error) {
    case 0:
    case EPROTONOSUPPORT:  // there, without revision 0
      return Presence::kYes;
    case ENOENT:
    case ENOPROTOOPT: return Presence::kNo;
    default: return Presence::kUnknown;
  }
}

class Asker {
 public:
  explicit Asker(HostFacts& facts) : facts_(facts) {}

  Presence Note(const std::string& subject, int error) {
    const Presence presence = PresenceOf(error);
    if (presence == Presence::kUnknown) {
      facts_.unread.push_back(subject + ": " + strerror(error));
    }
    return presence;
  }

 private:
  HostFacts& facts_;
};

// The tables that are expected, and the rules of others that touch marks.
void ReadTables(const Expectation& expectation, Family family,
                HostFacts& facts) {
  Asker asker(facts);
  const Result<std::set<std::string>> names = ReadXtTableNames(family);
  // Without the module there are none, and that is what is asked about below.
  if (!names && names.error().system_errno != ENOENT) {
    facts.unread.push_back(names.error().message);
  }
  const std::set<std::string> registered =
      names ? *names : std::set<std::string>();
  for (const std::string& title : expectation.xt_tables) {
    const bool ipv6 = title.starts_with(kIp6);
    if (ipv6 != (family == Family::kIpv6)) continue;
    const std::string name = ipv6 ? title.substr(kIp6.size()) : title;
    if (registered.contains(name)) {
      facts.xt_tables[title] = Presence::kYes;
      continue;
    }
    const int error = AskTableElsewhere(family, name);
    if (error == ENOPROTOOPT && !ipv6) facts.xt_error = strerror(error);
    facts.xt_tables[title] = asker.Note("iptables table " + title, error);
  }
  for (const std::string& table : registered) {
    const auto uses = ReadMarkUses(family, table);
    if (uses) {
      facts.mark_uses.insert(facts.mark_uses.end(), uses->begin(), uses->end());
    } else {
      facts.unread.push_back(uses.error().message);
    }
  }
}

}  // namespace

void ReadXtables(const Expectation& expectation, HostFacts& facts) {
  ReadTables(expectation, Family::kIpv4, facts);
  if (expectation.ipv6) ReadTables(expectation, Family::kIpv6, facts);
  Asker asker(facts);
  for (const std::string& match : expectation.matches) {
    facts.matches[match] =
        asker.Note("iptables match " + match,
                   AskExtension(match, IPT_SO_GET_REVISION_MATCH));
  }
  for (const std::string& target : expectation.targets) {
    facts.targets[target] =
        asker.Note("iptables target " + target,
                   AskExtension(target, IPT_SO_GET_REVISION_TARGET));
  }
}

}  // namespace uplinkd
