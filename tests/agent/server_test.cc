#include "agent/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <vector>

#include "agent/listener.h"
#include "agent/peers.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

using testing::FakeMachine;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::TemporaryDirectory;

// A socket that is bound to `path`; nobody listens unless told.
UniqueFd BindSocket(const std::string& path, bool listening) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  if (listening) {
    EXPECT_EQ(listen(fd.get(), 1), 0);
  }
  return fd;
}

class ServerTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Server>> Start(const std::string& name) {
    return Server::Start({.sockets = {directory_ / name}}, engine_);
  }
  TemporaryDirectory directory_;
  FakeMachine machine_;
  Engine engine_{OptionsFor(machine_, directory_.path())};
};

TEST_F(ServerTest, MakesASocketForOwnerAndGroupAndRemovesItAtTheEnd) {
  const std::string path = directory_ / "run/deep/a.sock";
  {
    const auto server = Start("run/deep/a.sock");
    ASSERT_TRUE(server) << server.error().message;
    struct stat there {};
    ASSERT_EQ(stat(path.c_str(), &there), 0);
    EXPECT_EQ(there.st_mode & 0777U, 0660U);
  }
  EXPECT_FALSE(directory_.Has("run/deep/a.sock"));
}

TEST_F(ServerTest, ReplacesTheSocketOfADeadProcess) {
  BindSocket(directory_ / "a.sock", false);  // closed again: nobody listens
  ASSERT_TRUE(directory_.Has("a.sock"));
  EXPECT_TRUE(Start("a.sock"));
}

TEST_F(ServerTest, LeavesTheSocketOfALivingProcessAlone) {
  const UniqueFd alive = BindSocket(directory_ / "a.sock", true);
  const auto server = Start("a.sock");
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(server.error().message, HasSubstr("another process serves"));
  EXPECT_TRUE(directory_.Has("a.sock"));
}

// One that blocks would wait until the other accepts.
TEST_F(ServerTest, AFullQueueIsThatOfALivingProcess) {
  const UniqueFd alive = BindSocket(directory_ / "a.sock", true);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (directory_ / "a.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
  std::vector<UniqueFd> queue;
  do {
    queue.emplace_back(
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_LT(queue.size(), 100U);
  } while (connect(queue.back().get(),
                   reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)) == 0);
  const auto server = Start("a.sock");
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(directory_.Has("a.sock"));
}

// Without it Stop() would wait for ever.
TEST_F(ServerTest, AListenerThatCannotBeWokenDoesNotStart) {
  Peers peers;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  Listener listener(peers);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Result<void> opened = listener.Open({});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("eventfd"));
}

TEST_F(ServerTest, NeverRemovesWhatIsNoSocket) {
  directory_.Write("a.sock", "precious");
  const auto server = Start("a.sock");
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("no socket"));
  EXPECT_EQ(directory_.Read("a.sock"), "precious");
}

TEST_F(ServerTest, SaysWhenItCannotMakeTheDirectory) {
  directory_.Write("file", "");
  const auto server = Start("file/a.sock");
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr(directory_ / "file"));
}

TEST_F(ServerTest, ServesOnSeveralSockets) {
  const auto server = Server::Start(
      {.sockets = {directory_ / "a.sock", directory_ / "b.sock"}}, engine_);
  ASSERT_TRUE(server);
  EXPECT_TRUE(directory_.Has("a.sock"));
  EXPECT_TRUE(directory_.Has("b.sock"));
}

}  // namespace
}  // namespace uplinkd
