#include "agent/tls.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
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
using Context = std::unique_ptr<SSL_CTX, With<SSL_CTX_free>>;

// Up to the first NUL, as gRPC takes it.
Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.c_str(), -1));
}

// An encrypted key is not asked for its password.
int NoPassword(char*, int, int, void*) {
  return 0;
}

tl::unexpected<Error> Bad(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, path + " " + what);
}

// The first of them. All must be readable: a file that is being written ends
// in the middle of one.
Result<Certificate> FirstCertificate(const std::string& text,
                                     const std::string& path) {
  const Bio bio = BioOf(text);
  ERR_clear_error();
  Certificate first(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
  if (!first) {
    ERR_clear_error();
    return Bad(path, "begins with no certificate in PEM form");
  }
  while (
      Certificate(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr))) {
  }
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  ERR_clear_error();
  if (reason == PEM_R_NO_START_LINE) return first;  // the end
  return Bad(path, "has a certificate that cannot be read after good ones");
}

Result<Key> KeyOf(const std::string& text, const std::string& path) {
  Key key(
      PEM_read_bio_PrivateKey(BioOf(text).get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  if (key) return key;
  return Bad(path, "has no private key in PEM form, without a password");
}

// Why OpenSSL would not serve with it, in its words ("ee key too small"); "":
// it would.
std::string Weakness(X509& certificate) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (!context) return "";
  ERR_clear_error();
  if (SSL_CTX_use_certificate(context.get(), &certificate) == 1) return "";
  const char* const words = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return words == nullptr ? "it is refused" : words;
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

Result<TlsSet> ReadFiles(const TlsFiles& files) {
  TlsSet set;
  for (const auto& [path, text] :
       {std::pair(&files.certificate, &set.certificate),
        std::pair(&files.key, &set.key),
        std::pair(&files.client_ca, &set.client_ca)}) {
    Result<std::string> read = ReadFile(*path);
    if (!read) return tl::unexpected(read.error());
    *text = *std::move(read);
  }
  return set;
}

// Whether gRPC can serve with it. The answer is a sentence about the
// certificate; failures name the file.
Result<std::string> Check(const TlsSet& set, const TlsFiles& files) {
  const auto certificate = FirstCertificate(set.certificate, files.certificate);
  if (!certificate) return tl::unexpected(certificate.error());
  const Result<Key> key = KeyOf(set.key, files.key);
  if (!key) return tl::unexpected(key.error());
  const auto authority = FirstCertificate(set.client_ca, files.client_ca);
  if (!authority) return tl::unexpected(authority.error());
  const bool pair = X509_check_private_key(certificate->get(), key->get()) == 1;
  ERR_clear_error();
  if (!pair) {
    return Bad(files.key,
               "is not the key of the certificate in " + files.certificate);
  }
  const std::string weakness = Weakness(**certificate);
  if (!weakness.empty()) {
    return Bad(files.certificate, "is none to serve with: " + weakness);
  }
  return Describe(**certificate);
}

// For gRPC to begin with, which takes no server without a set. It is its own
// authority and its key is kept nowhere else, so nobody can show a certificate
// of it.
Result<TlsSet> MakeSetOfNobody() {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  const Bio key_text(BIO_new(BIO_s_mem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  if (X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 0) == nullptr ||
      X509_set_pubkey(certificate.get(), key.get()) != 1 ||
      X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0,
                               nullptr, nullptr) != 1) {
    ERR_clear_error();
    return Fail(ErrorCode::kInternal, "OpenSSL makes no certificate");
  }
  return TlsSet{TextOf(certificate_text), TextOf(key_text),
                TextOf(certificate_text)};
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

// gRPC's C++ has no credentials that ask for the set at each connection; its C
// has.
class TlsKeeper::Credentials final : public grpc::ServerCredentials {
 public:
  explicit Credentials(TlsKeeper& keeper)
      : credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
                Fetch, &keeper))) {}
  ~Credentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // When the server is made, and then before each handshake; also when these
  // credentials are gone, but those of gRPC's C are not.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* keeper, grpc_ssl_server_certificate_config** config) {
    const std::optional<TlsSet> set = static_cast<TlsKeeper*>(keeper)->Fetch();
    if (!set) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{set->key.c_str(),
                                          set->certificate.c_str()};
    *config = grpc_ssl_server_certificate_config_create(set->client_ca.c_str(),
                                                        &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  grpc_server_credentials* const credentials_;
};

Result<std::shared_ptr<grpc::ServerCredentials>> TlsKeeper::MakeCredentials() {
  const char* const ciphers = std::getenv(kCiphersVariable);
  if (ciphers == nullptr || std::string_view(ciphers) != kCiphersOfTls12) {
    return Fail(ErrorCode::kInternal, "TLS before 1.3 would be allowed");
  }
  Result<TlsSet> first = MakeSetOfNobody();
  if (!first) return tl::unexpected(first.error());
  const std::lock_guard lock(mutex_);
  if (!next_) next_ = *std::move(first);
  return std::make_shared<Credentials>(*this);
}

std::array<FileSignature, 3> TlsKeeper::Signatures() const {
  return {SignatureOf(files_.certificate), SignatureOf(files_.key),
          SignatureOf(files_.client_ca)};
}

Result<void> TlsKeeper::LoadIfChanged() {
  // Before they are read: what is written meanwhile is found the next time.
  const std::array<FileSignature, 3> now = Signatures();
  const bool changed = signatures_ != now;
  signatures_ = now;
  // Bad ones may have been unreadable for want of descriptors.
  if (!changed && !fault_) return {};
  const std::optional<Error> before = std::exchange(fault_, std::nullopt);
  Result<TlsSet> set = ReadFiles(files_);
  const Result<std::string> checked =
      set ? Check(*set, files_) : tl::unexpected(set.error());
  if (!checked) fault_ = checked.error();
  const bool first = !good_;
  if (checked) {
    good_ = true;
    const std::lock_guard lock(mutex_);
    next_ = *std::move(set);
  }
  if (!good_) return tl::unexpected(*fault_);
  if (!first && (changed || fault_ != before)) LogChange(checked);
  return {};
}

void TlsKeeper::LogChange(const Result<std::string>& checked) const {
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
      "the files for TLS have changed and are refused; the last good ones are "
      "kept: " +
          checked.error().message,
      fields);
}

std::optional<TlsSet> TlsKeeper::Fetch() {
  const std::lock_guard lock(mutex_);
  return std::exchange(next_, std::nullopt);
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
