// Tls: the credentials of the service over TCP. Mutual, and TLS 1.3 alone.
#ifndef UPLINKD_AGENT_TLS_H_
#define UPLINKD_AGENT_TLS_H_

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/server_credentials.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "agent/access_options.h"
#include "agent/caller.h"
#include "agent/file_signature.h"
#include "agent/roles.h"
#include "reconciler/result.h"

namespace uplinkd {

// Refuses whatever is older than TLS 1.3, for this process. Before gRPC is used
// and before there are threads: it sets an environment variable.
void AllowOnlyTls13();

// What gRPC needs to serve, as PEM.
struct TlsSet {
  std::string certificate;  // and what vouches for it
  std::string key;
  std::string client_ca;
};

// The files as they were when they were good last, all three of one moment.
//
// gRPC is handed nothing else. It would end the process over an empty file, and
// would turn every client away over a certificate that came before its key. It
// asks at each connection, so that a new set holds from the next one on.
class TlsKeeper {
 public:
  explicit TlsKeeper(TlsFiles files) : files_(std::move(files)) {}
  TlsKeeper(const TlsKeeper&) = delete;
  TlsKeeper& operator=(const TlsKeeper&) = delete;

  // Reads the files if they are others than those that were read last, or were
  // bad then. What became of a change is logged once. For one thread. Fails
  // with a sentence that names the file as long as none were good, and leaves
  // it to the caller to tell.
  Result<void> LoadIfChanged();

  // Credentials with the last good set. As long as there is none, nobody gets
  // through their handshake. The keeper must outlive the server that they are
  // for. Fails without AllowOnlyTls13().
  Result<std::shared_ptr<grpc::ServerCredentials>> MakeCredentials();

 private:
  class Credentials;

  std::array<FileSignature, 3> Signatures() const;
  void LogChange(const Result<std::string>& checked) const;
  // What gRPC does not have yet, once. Any thread.
  std::optional<TlsSet> Fetch();

  const TlsFiles files_;
  std::optional<std::array<FileSignature, 3>> signatures_;  // of the last read
  std::optional<Error> fault_;                              // likewise
  bool good_ = false;  // they were at some time
  std::mutex mutex_;
  std::optional<TlsSet> next_;  // for gRPC; guarded by mutex_
};

// The caller whose certificate was verified, as its names and `roles` have it;
// `peer` as gRPC calls the connection.
Caller TlsCaller(const grpc::AuthContext& context, const std::string& peer,
                 const Roles& roles);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_TLS_H_
