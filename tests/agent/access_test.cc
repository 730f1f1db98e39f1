// Who may do what: certificates and roles over TCP, users over Unix sockets.
#include <gmock/gmock.h>
#include <grp.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/server.h"
#include "agent/tls.h"
#include "proto/convert.h"
#include "tests/agent/captured_log.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kRoles =
    "roles:\n  ops.example: operator\n  graphs.example: reader\n";

class Access : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { AllowOnlyTls13(); }

  Access() {
    Shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
    Shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-days 2 -subj /CN=ops.example -keyout self.key -out self.pem");
    Make("router", "/CN=router", "-addext subjectAltName=IP:127.0.0.1");
    Make("ops", "/CN=ops.example");
    Make("graphs", "/CN=x", "-addext subjectAltName=DNS:graphs.example");
    Make("stranger", "/CN=stranger.example");
    Make("old", "/CN=ops.example", "", "-days -1");
    files_.Write("roles.yaml", kRoles);
  }
  ~Access() override {
    if (server_ == nullptr) return;
    engine_.Stop();
    server_.reset();
  }

  void Start(const std::string& reader_group = "") {
    AccessOptions options;
    options.sockets = {socket_};
    options.socket_group = "daemon";
    options.reader_group = reader_group;
    options.tcp = {{"127.0.0.1", 0}};
    options.tls = {files_ / "router.pem", files_ / "router.key",
                   files_ / "ca.pem"};
    options.roles = files_ / "roles.yaml";
    auto server = Server::Start(options, *engine_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    engine_.Start();
    ASSERT_TRUE(engine_.Becomes([](const v1::Status&) { return true; }));
    target_ = "127.0.0.1:" + std::to_string(server_->TcpPorts().at(0));
  }
  void Shell(const std::string& command) const {
    const std::string whole =
        "cd " + files_.path() + " && " + command + " >>log 2>&1";
    ASSERT_EQ(std::system(whole.c_str()), 0) << files_.Read("log");
  }
  void Make(const std::string& name, const std::string& subject,
            const std::string& request = "",
            const std::string& days = "-days 2") const {
    Shell(
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-subj " +
        subject + " " + request + " -keyout " + name + ".key -out " + name +
        ".csr");
    Shell(
        "openssl x509 -req -in " + name +
        ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy " +
        days + " -out " + name + ".pem");
  }

  std::unique_ptr<v1::Agent::Stub> Stub(
      const std::string& target,
      const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::Agent::NewStub(
        grpc::CreateCustomChannel(target, credentials, arguments));
  }
  std::unique_ptr<v1::Agent::Stub> As(const std::string& name) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = files_.Read("ca.pem");
    options.pem_cert_chain = files_.Read(name + ".pem");
    options.pem_private_key = files_.Read(name + ".key");
    return Stub(target_, grpc::SslCredentials(options));
  }
  static grpc::Status AskStatus(v1::Agent::Stub& stub) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    v1::StatusResponse response;
    return stub.Status(&context, v1::StatusRequest(), &response);
  }
  static grpc::Status AskApply(v1::Agent::Stub& stub, bool dry_run = false) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    v1::ApplyRequest request;
    *request.mutable_router() = SpecToProto(testing::TwoUplinkSpec());
    request.set_dry_run(dry_run);
    v1::ApplyResponse response;
    return stub.Apply(&context, request, &response);
  }
  static bool Eventually(const std::function<bool()>& good) {
    for (int i = 0; i < 400; ++i) {
      if (good()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    return false;
  }

  testing::TemporaryDirectory files_;
  testing::TemporaryDirectory state_;
  const std::string socket_ = files_ / "a.sock";
  testing::FakeMachine machine_;
  testing::RunningEngine engine_{testing::OptionsFor(machine_, state_.path())};
  std::unique_ptr<Server> server_;
  std::string target_;
};

TEST_F(Access, CertificatesHaveTheRolesOfTheirNames) {
  testing::CapturedLog log;
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto graphs = As("graphs");
  EXPECT_TRUE(AskStatus(*graphs).ok());
  EXPECT_TRUE(AskApply(*graphs, true).ok());
  const grpc::Status refused = AskApply(*graphs);
  EXPECT_EQ(refused.error_code(), grpc::PERMISSION_DENIED);
  EXPECT_EQ(refused.error_message(),
            "Apply needs the role operator; certificate graphs.example (from "
            "127.0.0.1) has the role reader");
  const grpc::Status unknown = AskStatus(*As("stranger"));
  EXPECT_EQ(unknown.error_code(), grpc::PERMISSION_DENIED);
  EXPECT_THAT(unknown.error_message(),
              HasSubstr("certificate stranger.example (from 127.0.0.1) has no "
                        "role"));
  EXPECT_TRUE(AskApply(*As("ops")).ok());
  EXPECT_THAT(log.text(),
              HasSubstr("accepted the spec \"office\" as generation 1 (from "
                        "certificate ops.example (from 127.0.0.1))"));
  EXPECT_THAT(log.text(), HasSubstr("refused a request: Apply needs"));
}

TEST_F(Access, WhoeverIsNotVouchedForIsTurnedAway) {
  testing::CapturedLog log;
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const char* name : {"self", "old"}) {
    EXPECT_EQ(AskStatus(*As(name)).error_code(), grpc::UNAVAILABLE) << name;
  }
  grpc::SslCredentialsOptions nameless;
  nameless.pem_root_certs = files_.Read("ca.pem");
  EXPECT_EQ(
      AskStatus(*Stub(target_, grpc::SslCredentials(nameless))).error_code(),
      grpc::UNAVAILABLE);
  EXPECT_EQ(AskStatus(*Stub(target_, grpc::InsecureChannelCredentials()))
                .error_code(),
            grpc::UNAVAILABLE);
  EXPECT_TRUE(AskStatus(*As("ops")).ok());
  EXPECT_THAT(log.text(), HasSubstr("turned away a client over TCP"));
}

TEST_F(Access, NothingOlderThanTls13IsSpoken) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto version = [&](const std::string& which) {
    const std::string command =
        "cd " + files_.path() + " && timeout 10 openssl s_client -connect " +
        target_ + " " + which +
        " -alpn h2 -CAfile ca.pem -cert ops.pem -key ops.key </dev/null "
        ">said 2>&1";
    (void)std::system(command.c_str());
    return files_.Read("said");
  };
  EXPECT_THAT(version("-tls1_3"), HasSubstr("New, TLSv1.3"));
  EXPECT_THAT(version("-tls1_2"), HasSubstr("New, (NONE)"));
  EXPECT_THAT(version("-tls1_2 -cipher ALL -psk 00"), HasSubstr("New, (NONE)"));
}

TEST_F(Access, WhoHasNoCertificateKeepsNobodyOut) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto before = As("ops");
  EXPECT_TRUE(AskStatus(*before).ok());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(server_->TcpPorts().at(0));
  std::vector<UniqueFd> mute;
  for (int i = 0; i < 300; ++i) {
    mute.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        connect(mute.back().get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)),
        0);
  }
  // From the same host, and before gRPC gives any of them up.
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(AskStatus(*As("ops")).ok());
  EXPECT_TRUE(AskStatus(*before).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
  // The oldest is cut off.
  pollfd polled{mute.front().get(), POLLIN, 0};
  EXPECT_EQ(poll(&polled, 1, 10000), 1);
}

TEST_F(Access, WhoeverLosesTheRoleWatchesNoLonger) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto graphs = As("graphs");
  const auto ops = As("ops");
  const auto watch = [](v1::Agent::Stub& stub, grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    auto stream = stub.Watch(&context, v1::WatchRequest());
    v1::WatchResponse first;
    EXPECT_TRUE(stream->Read(&first));
    return stream;
  };
  grpc::ClientContext of_graphs;
  grpc::ClientContext of_ops;
  const auto lost = watch(*graphs, of_graphs);
  const auto kept = watch(*ops, of_ops);
  files_.Write("roles.yaml", "roles: {ops.example: reader}\n");
  server_->ReloadRoles();
  v1::WatchResponse news;
  while (lost->Read(&news)) {
  }
  const grpc::Status status = lost->Finish();
  EXPECT_EQ(status.error_code(), grpc::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("no role here any more"));
  // Another role that may watch as well changes nothing.
  EXPECT_TRUE(engine_->Apply({.spec = testing::TwoUplinkSpec()}));
  EXPECT_TRUE(kept->Read(&news));
  of_ops.TryCancel();
  while (kept->Read(&news)) {
  }
  (void)kept->Finish();
}

TEST_F(Access, FilesAreReadAgainWhenTheyChange) {
  testing::CapturedLog log;
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto stranger = As("stranger");
  EXPECT_FALSE(AskStatus(*stranger).ok());
  files_.Write("roles.yaml", "roles: {stranger.example: boss}\n");
  server_->ReloadRoles();
  EXPECT_THAT(log.text(), HasSubstr("roles.yaml:1:27: roles.stranger.example: "
                                    "\"boss\" is no role; it is reader or "
                                    "operator"));
  EXPECT_TRUE(AskStatus(*As("ops")).ok());  // the last good ones hold
  files_.Write("roles.yaml", "roles: {stranger.example: reader}\n");
  // By itself, and for connections that are open already.
  EXPECT_TRUE(Eventually([&] { return AskStatus(*stranger).ok(); }));
  EXPECT_FALSE(AskStatus(*As("ops")).ok());

  // Another authority, and a certificate of it for each.
  Shell(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-days 2 -subj /CN=another -keyout ca.key -out ca.pem");
  Make("router", "/CN=router", "-addext subjectAltName=IP:127.0.0.1");
  Make("new", "/CN=stranger.example");
  EXPECT_TRUE(Eventually([&] { return AskStatus(*As("new")).ok(); }));
  EXPECT_EQ(AskStatus(*As("ops")).error_code(), grpc::UNAVAILABLE);
  EXPECT_TRUE(Eventually([&] {
    return log.text().find(
               "the files for TLS have changed: the certificate "
               "of CN=router is good until") != std::string::npos;
  }));
}

// Whoever empties a file in place, or copies a certificate before its key, is
// in nobody's way: gRPC ended the process over the former.
TEST_F(Access, FilesThatAreBadLaterChangeNothing) {
  testing::CapturedLog log;
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string certificate = files_.Read("router.pem");
  const std::string key = files_.Read("router.key");
  Make("other", "/CN=other", "-addext subjectAltName=IP:127.0.0.1");
  Shell(
      "openssl req -x509 -newkey rsa:1024 -nodes -days 2 -subj /CN=short "
      "-keyout short.key -out short.pem");
  const auto refused = [&](const std::string& words) {
    EXPECT_TRUE(Eventually([&] {
      return log.text().find("the last good ones are kept: " + words) !=
             std::string::npos;
    })) << words
        << log.text();
    EXPECT_TRUE(AskStatus(*As("ops")).ok()) << words;
  };
  const std::string in = files_.path() + "/";
  Shell(": > router.pem");
  refused(in + "router.pem begins with no certificate in PEM form");
  Shell("cp other.pem router.pem");
  refused(in + "router.key is not the key of the certificate in " + in +
          "router.pem");
  Shell("cp short.pem router.pem && cp short.key router.key");
  refused(in + "router.pem is none to serve with: ee key too small");
  files_.Write("router.pem", certificate);
  Shell(": > router.key");
  refused(in + "router.key has no private key");
  files_.Write("router.key", key);
  const std::string authority = files_.Read("ca.pem");
  files_.Write("ca.pem", authority + authority.substr(0, 200));
  EXPECT_TRUE(Eventually([&] {
    return log.text().find("ca.pem has a certificate that cannot be read") !=
           std::string::npos;
  })) << log.text();
  files_.Write("ca.pem", authority);
  Shell("rm router.pem");
  refused("cannot read " + in + "router.pem: No such file or directory");
  // Told once, however long it lasts.
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_EQ(log.text().find("No such file"), log.text().rfind("No such file"));
  // And taken up once they go together.
  Shell("cp other.pem router.pem && cp other.key router.key");
  EXPECT_TRUE(Eventually([&] {
    Shell("timeout 10 openssl s_client -connect " + target_ +
          " -alpn h2 -CAfile ca.pem -cert ops.pem -key ops.key </dev/null "
          ">said 2>&1; true");
    return files_.Read("said").find("CN = other") != std::string::npos;
  }));
  EXPECT_TRUE(AskStatus(*As("ops")).ok());
}

// The reconciler and the Unix socket need none of them.
TEST_F(Access, WithBadFilesAtTheStartTcpIsServedOnceTheyAreGood) {
  testing::CapturedLog log;
  const std::string key = files_.Read("router.key");
  files_.Write("router.key", "");
  files_.Write("roles.yaml", "roles: {ops.example: boss}\n");
  AccessOptions options;
  options.sockets = {socket_};
  options.tcp = {{"127.0.0.1", 0}};
  options.tls = {files_ / "router.pem", files_ / "router.key",
                 files_ / "ca.pem"};
  options.roles = files_ / "roles.yaml";
  auto server = Server::Start(options, *engine_);
  ASSERT_TRUE(server) << server.error().message;
  server_ = std::move(*server);
  engine_.Start();
  ASSERT_TRUE(engine_.Becomes([](const v1::Status&) { return true; }));
  EXPECT_TRUE(
      AskStatus(*Stub("unix:" + socket_, grpc::InsecureChannelCredentials()))
          .ok());
  EXPECT_THAT(server_->TcpPorts(), ::testing::IsEmpty());
  EXPECT_THAT(log.text(), HasSubstr("TCP is not served yet: " +
                                    files_ / "router.key has no private key"));
  const auto says = [&](const std::string& words) {
    return Eventually(
        [&] { return log.text().find(words) != std::string::npos; });
  };
  files_.Write("router.key", files_.Read("ops.key"));
  EXPECT_TRUE(says("router.key is not the key of")) << log.text();
  files_.Write("router.key", key);
  EXPECT_TRUE(says("roles.ops.example: \"boss\" is no role")) << log.text();
  EXPECT_THAT(server_->TcpPorts(), ::testing::IsEmpty());
  files_.Write("roles.yaml", kRoles);
  ASSERT_TRUE(says("serving on tcp://127.0.0.1:0")) << log.text();
  target_ = "127.0.0.1:" + std::to_string(server_->TcpPorts().at(0));
  EXPECT_TRUE(AskStatus(*As("ops")).ok());
  EXPECT_EQ(AskStatus(*As("self")).error_code(), grpc::UNAVAILABLE);
}

// Runs uplinkctl as another user; what it prints.
class LocalAccess : public Access {
 protected:
  std::string Run(const std::string& who, const std::string& words) {
    Shell("chmod 755 .");
    const std::string command =
        "cd " + files_.path() + " && setpriv " + who +
        " " UPLINKCTL_PROGRAM " --address unix:" + socket_ + " " + words +
        " >said 2>&1";
    (void)std::system(command.c_str());
    return files_.Read("said");
  }
  static constexpr const char* kNobody = "--reuid 65534 --regid 65534";
};

TEST_F(LocalAccess, TheGroupOfTheSocketAndRootAreOperators) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  testing::CapturedLog log;
  ASSERT_NO_FATAL_FAILURE(Start());
  struct stat there {};
  ASSERT_EQ(stat(socket_.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777U, 0660U);
  EXPECT_EQ(there.st_gid, 1U);  // daemon
  EXPECT_TRUE(
      AskApply(*Stub("unix:" + socket_, grpc::InsecureChannelCredentials()))
          .ok());
  EXPECT_THAT(log.text(), HasSubstr("(from root (uid 0, pid " +
                                    std::to_string(getpid()) + "))"));
  EXPECT_THAT(Run(std::string(kNobody) + " --groups 1", "drain wan2"),
              HasSubstr("wan2"));
  EXPECT_THAT(log.text(), HasSubstr("(from nobody (uid 65534, pid "));
  EXPECT_THAT(Run(std::string(kNobody) + " --clear-groups", "status"),
              HasSubstr("a member of the socket's group"));
}

TEST_F(LocalAccess, AReaderGroupLooksAndOthersDoNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_NO_FATAL_FAILURE(Start("games"));
  const std::string reader = "--reuid 65534 --regid 65534 --groups 60";
  EXPECT_THAT(Run(reader, "status"), Not(HasSubstr("refuses")));
  EXPECT_THAT(Run(reader, "drain wan2"),
              HasSubstr("Drain needs the role operator; nobody (uid 65534, "));
  EXPECT_THAT(Run(std::string(kNobody) + " --clear-groups", "status"),
              HasSubstr("has no role here; Status needs the role reader"));
}

}  // namespace
}  // namespace uplinkd
