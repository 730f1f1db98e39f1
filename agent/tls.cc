#include "agent/tls.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/files.h"
#include "agent/logging.h"

namespace uplinkd {
namespace {

// gRPC 1.51 has no way to say which versions of TLS it takes; but it takes from
// the environment which ciphers TLS 1.2 may use (those of 1.3 are apart). This
// one needs a shared secret, of which there is none, so that none is left.
constexpr const char* kCiphersVariable = "GRPC_SSL_CIPHER_SUITES";
constexpr const char* kCiphersOfTls12 = "PSK-AES256-GCM-SHA384";
// How often gRPC looks at the files.
constexpr unsigned kLookEverySeconds = 1;

template <auto Free>
struct With {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Certificate = std::unique_ptr<X509, With<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, With<BIO_free>>;

Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// An encrypted key is not asked for its password.
int NoPassword(char*, int, int, void*) {
  return 0;
}

Result<Certificate> ReadCertificate(const std::string& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  Certificate certificate(
      PEM_read_bio_X509(BioOf(*text).get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  if (certificate) return certificate;
  return Fail(ErrorCode::kInvalidArgument,
              path + " begins with no certificate in PEM form");
}

Result<Key> ReadKey(const std::string& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text) return tl::unexpected(text.error());
  Key key(PEM_read_bio_PrivateKey(BioOf(*text).get(), nullptr, NoPassword,
                                  nullptr));
  ERR_clear_error();
  if (key) return key;
  return Fail(ErrorCode::kInvalidArgument,
              path + " has no private key in PEM form, without a password");
}

std::string TextOf(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string Describe(const X509& certificate) {
  const Bio text(BIO_new(BIO_s_mem()));
  BIO_puts(text.get(), "the certificate of ");
  X509_NAME_print_ex(text.get(), X509_get_subject_name(&certificate), 0,
                     XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ);
  BIO_puts(text.get(),
           X509_cmp_current_time(X509_get0_notAfter(&certificate)) < 0
               ? " has ended on "
               : " is good until ");
  ASN1_TIME_print(text.get(), X509_get0_notAfter(&certificate));
  return TextOf(text);
}

std::vector<std::string> Properties(const grpc::AuthContext& context,
                                    const std::string& name) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(name)) {
    values.emplace_back(value.data(), value.size());
  }
  return values;
}

// "192.0.2.7" of "ipv4:192.0.2.7:41234", "[2001:db8::7]" of the other family.
// gRPC writes brackets as in a URI.
std::string HostOf(std::string_view peer) {
  peer.remove_prefix(std::min(peer.size(), peer.find(':') + 1));
  std::string host(peer.substr(0, peer.rfind(':')));
  for (const auto& [escaped, plain] : {std::pair{"%5B", "["}, {"%5D", "]"}}) {
    const std::size_t at = host.find(escaped);
    if (at != std::string::npos) host.replace(at, 3, plain);
  }
  return host;
}

}  // namespace

void AllowOnlyTls13() {
  setenv(kCiphersVariable, kCiphersOfTls12, 1);
}

Result<std::string> CheckTlsFiles(const TlsFiles& files) {
  const Result<Certificate> certificate = ReadCertificate(files.certificate);
  if (!certificate) return tl::unexpected(certificate.error());
  const Result<Key> key = ReadKey(files.key);
  if (!key) return tl::unexpected(key.error());
  const Result<Certificate> authority = ReadCertificate(files.client_ca);
  if (!authority) return tl::unexpected(authority.error());
  const bool pair = X509_check_private_key(certificate->get(), key->get()) == 1;
  ERR_clear_error();
  if (pair) return Describe(**certificate);
  return Fail(
      ErrorCode::kInvalidArgument,
      files.key + " is not the key of the certificate in " + files.certificate);
}

Result<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(
    const TlsFiles& files) {
  if (const Result<std::string> checked = CheckTlsFiles(files); !checked) {
    return tl::unexpected(checked.error());
  }
  const char* const ciphers = std::getenv(kCiphersVariable);
  if (ciphers == nullptr || std::string_view(ciphers) != kCiphersOfTls12) {
    return Fail(ErrorCode::kInternal, "TLS before 1.3 would be allowed");
  }
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.key, files.certificate, files.client_ca, kLookEverySeconds));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(options);
}

TlsFilesWatch::TlsFilesWatch(TlsFiles files)
    : files_(std::move(files)), signatures_(Signatures()) {}

std::array<FileSignature, 3> TlsFilesWatch::Signatures() const {
  return {SignatureOf(files_.certificate), SignatureOf(files_.key),
          SignatureOf(files_.client_ca)};
}

void TlsFilesWatch::LookAgain() {
  const std::array<FileSignature, 3> now = Signatures();
  if (std::exchange(signatures_, now) == now) return;
  const Result<std::string> checked = CheckTlsFiles(files_);
  LogFields fields = {{"event", "tls"}, {"from", files_.certificate}};
  if (checked) {
    fields.emplace_back("result", "accepted");
    Log(spdlog::level::info, "the files for TLS have changed: " + *checked,
        fields);
    return;
  }
  fields.emplace_back("result", "refused");
  fields.emplace_back("error", checked.error().message);
  Log(spdlog::level::err,
      "the files for TLS have changed, and new clients may be turned away "
      "until they are good: " +
          checked.error().message,
      fields);
}

Caller TlsCaller(const grpc::AuthContext& context, const std::string& peer,
                 const Roles& roles) {
  const std::string from = " (from " + HostOf(peer) + ")";
  const std::vector<std::string> common =
      Properties(context, GRPC_X509_CN_PROPERTY_NAME);
  std::vector<std::string> names =
      Properties(context, GRPC_X509_SAN_PROPERTY_NAME);
  names.insert(names.end(), common.begin(), common.end());
  const Roles::Found found = roles.Find(names);
  const bool named = found.role != Role::kNone;
  const std::string first = names.empty() ? "" : names.front();
  const std::string name =
      "certificate " + OnOneLine(named ? found.name : first);
  return {name + from, name, found.role};
}

}  // namespace uplinkd
