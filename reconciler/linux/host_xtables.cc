#include "reconciler/linux/host_xtables.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "reconciler/linux/host_marks.h"
#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

// 0, or the errno of the question.
int AskTable(const std::string& table) {
  const UniqueFd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd) return errno;
  ipt_getinfo info{};
  table.copy(info.name, sizeof(info.name) - 1);
  socklen_t size = sizeof(info);
  return getsockopt(fd.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) == 0
             ? 0
             : errno;
}

// `option` is IPT_SO_GET_REVISION_MATCH or _TARGET.
int AskExtension(const std::string& name, int option) {
  const UniqueFd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd) return errno;
  xt_get_revision revision{};
  name.copy(revision.name, sizeof(revision.name) - 1);
  socklen_t size = sizeof(revision);
  return getsockopt(fd.get(), IPPROTO_IP, option, &revision, &size) >= 0
             ? 0
             : errno;
}

// Asked in a network namespace of its own, since the question registers the
// table in the namespace where it is asked, for good.
int AskTableElsewhere(const std::string& table) {
  int error = 0;
  std::thread asker(
      [&] { error = unshare(CLONE_NEWNET) == 0 ? AskTable(table) : errno; });
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

// The tables that are registered in this namespace. Reading the file needs
// root; it is not there on a kernel without ip_tables.
std::set<std::string> RegisteredTables() {
  std::set<std::string> tables;
  std::ifstream names("/proc/thread-self/net/ip_tables_names");
  for (std::string name; std::getline(names, name);) tables.insert(name);
  return tables;
}

class Asker {
 public:
  explicit Asker(HostFacts& facts) : facts_(facts) {}

  Presence Note(const std::string& subject, int error) {
    const Presence presence = PresenceOf(error);
    if (error == ENOPROTOOPT) facts_.xt_error = strerror(error);
    if (presence == Presence::kUnknown) {
      facts_.unread.push_back(subject + ": " + strerror(error));
    }
    return presence;
  }

 private:
  HostFacts& facts_;
};

}  // namespace

void ReadXtables(const Expectation& expectation, HostFacts& facts) {
  Asker asker(facts);
  const std::set<std::string> registered = RegisteredTables();
  for (const std::string& table : expectation.xt_tables) {
    facts.xt_tables[table] =
        registered.contains(table)
            ? Presence::kYes
            : asker.Note("iptables table " + table, AskTableElsewhere(table));
  }
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
  for (const std::string& table : registered) {
    const auto uses = ReadMarkUses(table);
    if (uses) {
      facts.mark_uses.insert(facts.mark_uses.end(), uses->begin(), uses->end());
    } else {
      facts.unread.push_back(uses.error().message);
    }
  }
}

}  // namespace uplinkd
