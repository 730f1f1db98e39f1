// Network namespaces for tests of the kernel edge.
//
// Every test gets a network of its own and never sees the machine's. Root is
// needed: without it a test dies loudly, since a skipped test proves nothing.
#ifndef UPLINKD_TESTS_LINUX_NETNS_H_
#define UPLINKD_TESTS_LINUX_NETNS_H_

#include <gtest/gtest.h>

#include <string>

namespace uplinkd {

// A network namespace that lives as long as this object (or something in it).
// Making one does not move the calling thread. `lo` is up.
class Netns {
 public:
  Netns();
  ~Netns();
  Netns(const Netns&) = delete;
  Netns& operator=(const Netns&) = delete;

  int fd() const { return fd_; }
  // For `ip link ... netns PATH`.
  std::string path() const;

 private:
  int fd_ = -1;
};

// The calling thread is in `netns` while this lives, then back where it was.
class InNetns {
 public:
  explicit InNetns(const Netns& netns);
  ~InNetns();
  InNetns(const InNetns&) = delete;
  InNetns& operator=(const InNetns&) = delete;

 private:
  int before_ = -1;
};

struct CommandResult {
  int status = 0;      // exit status; 128 + the signal if one killed it
  std::string output;  // standard output and standard error
};

// Runs a shell command in the calling thread's namespace.
CommandResult RunCommand(const std::string& command);
// The same; a failure fails the test. Returns the output.
std::string Run(const std::string& command);

// A veth pair: `name` here and `peer_name` in `peer`, both up.
void AddVeth(const std::string& name, const Netns& peer,
             const std::string& peer_name);

// A link that is up and has carrier; its other end is `name`-far, also here.
// `address` as "198.51.100.2/24"; none if empty.
void AddLink(const std::string& name, const std::string& address = "");

// What ip(8) says of every route and rule, for byte by byte comparison.
std::string ShowRouting();

// A test inside a fresh namespace, with an xtables lock file of its own.
class NetnsTest : public ::testing::Test {
 protected:
  NetnsTest();
  ~NetnsTest() override;

  // `count` connections that conntrack(8) makes up, with that mark, each from a
  // port of its own.
  void AddConnections(int count, const std::string& mark);

  const Netns netns_;
  const std::string lock_path_;

 private:
  const InNetns inside_;
  int port_ = 1000;
};

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_LINUX_NETNS_H_
