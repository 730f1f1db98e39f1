// Runs a program under the filters of system calls that systemd makes of a
// unit. For tests alone; who the program runs as is setpriv's business.
//
//   unit_filter ERRNO CALL,... FAMILY,... PROGRAM [ARGUMENT...]
//
// ERRNO is EPERM or a number. What is filtered, as systemd 252 does it:
// SystemCallFilter= as a list of what is allowed, RestrictAddressFamilies=,
// RestrictNamespaces=yes and MemoryDenyWriteExecute=yes.
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "unit_filter: %s\n", what.c_str());
  std::exit(125);
}

Filter Begin(std::uint32_t otherwise) {
  Filter filter(seccomp_init(otherwise));
  if (!filter) Die("seccomp_init");
  return filter;
}

void Add(const Filter& filter, std::uint32_t action, int call,
         std::initializer_list<scmp_arg_cmp> conditions = {}) {
  const std::vector<scmp_arg_cmp> all(conditions);
  if (seccomp_rule_add_array(filter.get(), action, call,
                             static_cast<unsigned>(all.size()),
                             all.data()) != 0) {
    Die("seccomp_rule_add");
  }
}

void Load(const Filter& filter) {
  if (seccomp_load(filter.get()) != 0) Die("seccomp_load");
}

// Argument `number` has all the bits of `bits`.
scmp_arg_cmp Has(unsigned number, std::uint64_t bits) {
  return {number, SCMP_CMP_MASKED_EQ, bits, bits};
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    words.push_back(word);
  }
  return words;
}

int Family(const std::string& name) {
  if (name == "AF_UNIX") return AF_UNIX;
  if (name == "AF_INET") return AF_INET;
  if (name == "AF_INET6") return AF_INET6;
  if (name == "AF_NETLINK") return AF_NETLINK;
  if (name == "AF_PACKET") return AF_PACKET;
  Die("unknown address family " + name);
}

void RestrictFamilies(const std::string& names) {
  std::vector<int> allowed;
  for (const std::string& name : Words(names)) {
    allowed.push_back(Family(name));
  }
  const Filter filter = Begin(SCMP_ACT_ALLOW);
  const std::uint32_t refuse = SCMP_ACT_ERRNO(EAFNOSUPPORT);
  for (int family = 0; family < AF_MAX; ++family) {
    if (std::ranges::find(allowed, family) != allowed.end()) continue;
    Add(filter, refuse, SCMP_SYS(socket),
        {{0, SCMP_CMP_EQ, static_cast<std::uint64_t>(family), 0}});
  }
  Add(filter, refuse, SCMP_SYS(socket), {{0, SCMP_CMP_GE, AF_MAX, 0}});
  Load(filter);
}

void RestrictNamespaces() {
  const Filter filter = Begin(SCMP_ACT_ALLOW);
  const std::uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  // A filter cannot look into its argument; glibc then takes clone().
  Add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  Add(filter, refuse, SCMP_SYS(setns), {{1, SCMP_CMP_EQ, 0, 0}});
  constexpr std::array<std::uint64_t, 7> kKinds = {
      CLONE_NEWCGROUP, CLONE_NEWIPC,  CLONE_NEWNET, CLONE_NEWNS,
      CLONE_NEWPID,    CLONE_NEWUSER, CLONE_NEWUTS};
  for (const std::uint64_t kind : kKinds) {
    Add(filter, refuse, SCMP_SYS(clone), {Has(0, kind)});
    Add(filter, refuse, SCMP_SYS(unshare), {Has(0, kind)});
    Add(filter, refuse, SCMP_SYS(setns), {Has(1, kind)});
  }
  Load(filter);
}

void DenyWriteExecute() {
  const Filter filter = Begin(SCMP_ACT_ALLOW);
  const std::uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  Add(filter, refuse, SCMP_SYS(mmap), {Has(2, PROT_WRITE | PROT_EXEC)});
  Add(filter, refuse, SCMP_SYS(mprotect), {Has(2, PROT_EXEC)});
  Add(filter, refuse, SCMP_SYS(pkey_mprotect), {Has(2, PROT_EXEC)});
  Add(filter, refuse, SCMP_SYS(shmat), {Has(2, SHM_EXEC)});
  Load(filter);
}

void AllowOnly(const std::string& calls, int error) {
  const Filter filter =
      Begin(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)));
  for (const std::string& name : Words(calls)) {
    // The sets have calls of other architectures and of newer kernels.
    const int call = seccomp_syscall_resolve_name(name.c_str());
    if (call >= 0) Add(filter, SCMP_ACT_ALLOW, call);
  }
  Load(filter);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) Die("usage: unit_filter ERRNO CALL,... FAMILY,... PROGRAM...");
  const std::string error = argv[1];
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Die("no_new_privs");
  RestrictFamilies(argv[3]);
  RestrictNamespaces();
  DenyWriteExecute();
  // The last, as it may forbid to load another.
  AllowOnly(argv[2], error == "EPERM" ? EPERM : std::atoi(error.c_str()));
  execv(argv[4], argv + 4);
  Die(std::string("cannot run ") + argv[4]);
}
