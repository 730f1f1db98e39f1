// Tls: the credentials of the service over TCP. Mutual, and TLS 1.3 alone.
#ifndef UPLINKD_AGENT_TLS_H_
#define UPLINKD_AGENT_TLS_H_

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/server_credentials.h>

#include <array>
#include <memory>
#include <string>

#include "agent/access_options.h"
#include "agent/caller.h"
#include "agent/file_signature.h"
#include "agent/roles.h"
#include "reconciler/result.h"

namespace uplinkd {

// Refuses whatever is older than TLS 1.3, for this process. Before gRPC is used
// and before there are threads: it sets an environment variable.
void AllowOnlyTls13();

// Whether the files can be read, and the key belongs to the certificate. The
// answer is a sentence about the certificate; failures name the file.
Result<std::string> CheckTlsFiles(const TlsFiles& files);

// Credentials that follow the files when they change. Fails as
// CheckTlsFiles(), and without AllowOnlyTls13().
Result<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(
    const TlsFiles& files);

// Logs what became of the files. For one thread.
class TlsFilesWatch {
 public:
  explicit TlsFilesWatch(TlsFiles files);
  void LookAgain();

 private:
  std::array<FileSignature, 3> Signatures() const;

  TlsFiles files_;
  std::array<FileSignature, 3> signatures_;
};

// The caller whose certificate was verified, as its names and `roles` have it;
// `peer` as gRPC calls the connection.
Caller TlsCaller(const grpc::AuthContext& context, const std::string& peer,
                 const Roles& roles);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_TLS_H_
