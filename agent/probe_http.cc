// The HTTP probe: a GET, answered with the status and the text that are asked
// for. A captive portal and a transparent proxy do answer, but not so. With
// https the certificate has to be the host's as well.
//
// libcurl speaks HTTP; the io_context waits for its one socket, which is ours,
// so that it is pinned as those of all probes are. No name is resolved: the
// address is in the URL, or in the probe.
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "agent/probe_run.h"
#include "agent/probe_socket.h"

namespace uplinkd {
namespace {

// More of an answer is not searched for the text.
constexpr std::size_t kMaxBody = 65536;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// Once per process; libcurl wants it before anything else.
bool CurlIsReady() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

class HttpRun final : public SocketRun {
 public:
  HttpRun(asio::io_context& context, const ProbeOrder& order, HttpProbe probe,
          ProbeDone done)
      : SocketRun(context, order, std::move(done)),
        probe_(std::move(probe)),
        timer_(context) {}
  HttpRun(const HttpRun&) = delete;
  HttpRun& operator=(const HttpRun&) = delete;
  ~HttpRun() override {
    if (!multi_ || !easy_) return;
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, nullptr);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, nullptr);
    curl_multi_remove_handle(multi_.get(), easy_.get());
  }

 private:
  // ---- what libcurl calls back ----

  static curl_socket_t OpenSocket(void* user, curlsocktype, curl_sockaddr*) {
    auto& self = *static_cast<HttpRun*>(user);
    Result<UniqueFd> socket = OpenPinned(self.path(), FamilyOf(self.probe_),
                                         SOCK_STREAM, IPPROTO_TCP);
    if (!socket) {
      self.fault_ = socket.error().message;
      return CURL_SOCKET_BAD;
    }
    // libcurl closes its own; we wait for another descriptor of the same.
    self.socket_ = fcntl(socket->get(), F_DUPFD_CLOEXEC, 0);
    self.Own(std::move(*socket));
    return self.socket_;
  }

  static int OnWanted(CURL*, curl_socket_t, int what, void* user, void*) {
    static_cast<HttpRun*>(user)->wanted_ = what;
    return 0;
  }

  static int OnTimer(CURLM*, long milliseconds, void* user) {
    static_cast<HttpRun*>(user)->SetTimer(milliseconds);
    return 0;
  }

  static std::size_t OnBody(char* bytes, std::size_t, std::size_t size,
                            void* user) {
    return static_cast<HttpRun*>(user)->TakeBody({bytes, size}) ? size : 0;
  }

  // ---- the transfer ----

  Result<void> Ask() override {
    const std::optional<HttpUrl> url = ParseHttpUrl(probe_.url);
    if (!url) {
      return Fail(ErrorCode::kInvalidArgument, "the URL cannot be asked for");
    }
    if (CurlIsReady()) {
      multi_.reset(curl_multi_init());
      easy_.reset(curl_easy_init());
    }
    if (!multi_ || !easy_) {
      return Fail(ErrorCode::kResourceExhausted, "libcurl cannot be used");
    }
    SetOptions(*url);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &OnWanted);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &OnTimer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    // It sets the timer, and so begins.
    const CURLMcode added = curl_multi_add_handle(multi_.get(), easy_.get());
    if (added != CURLM_OK) {
      return Fail(ErrorCode::kInternal, curl_multi_strerror(added));
    }
    return {};
  }

  void SetOptions(const HttpUrl& url) {
    CURL* const easy = easy_.get();
    if (probe_.address) {
      const std::string entry = url.host + ":" + std::to_string(url.port) +
                                ":" + probe_.address->ToString();
      resolve_.reset(curl_slist_append(nullptr, entry.c_str()));
      curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve_.get());
    }
    curl_easy_setopt(easy, CURLOPT_URL, probe_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    // As curl(1) has it.
    if (const char* const bundle = std::getenv("CURL_CA_BUNDLE")) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
    }
    // Not by way of http_proxy in the environment.
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "uplinkd/" UPLINKD_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words_.data());
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  }

  // False: the rest is not wanted.
  bool TakeBody(std::string_view bytes) {
    body_ += bytes;
    enough_ = probe_.text.empty() ||
              body_.find(probe_.text) != std::string::npos ||
              body_.size() > kMaxBody;
    return !enough_;
  }

  void SetTimer(long milliseconds) {
    if (milliseconds < 0) {
      timer_.cancel();
      return;
    }
    timer_.expires_after(std::chrono::milliseconds(milliseconds));
    timer_.async_wait(
        [this, weak = weak_from_this()](const asio::error_code& error) {
          const SocketRunPointer self = weak.lock();
          if (error || self == nullptr || ended()) return;
          Drive(CURL_SOCKET_TIMEOUT, 0);
        });
  }

  void OnReadable() override {
    reading_ = false;
    Drive(socket_, CURL_CSELECT_IN);
  }

  void OnWritable() override {
    writing_ = false;
    Drive(socket_, CURL_CSELECT_OUT);
  }

  // Lets libcurl go on, until it waits or is done.
  void Drive(curl_socket_t socket, int events) {
    int running = 0;
    curl_multi_socket_action(multi_.get(), socket, events, &running);
    int queued = 0;
    const CURLMsg* const message = curl_multi_info_read(multi_.get(), &queued);
    if (message != nullptr && message->msg == CURLMSG_DONE) {
      return Judge(message->data.result);
    }
    if ((wanted_ & CURL_POLL_IN) != 0 && !std::exchange(reading_, true)) {
      AwaitReadable();
    }
    if ((wanted_ & CURL_POLL_OUT) != 0 && !std::exchange(writing_, true)) {
      AwaitWritable();
    }
  }

  void Judge(CURLcode code) {
    if (code != CURLE_OK && !enough_) {
      if (!fault_.empty()) return Failed(fault_);
      return Failed(words_[0] == '\0' ? curl_easy_strerror(code)
                                      : words_.data());
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    const bool good = probe_.status
                          ? status == static_cast<long>(*probe_.status)
                          : status / 100 == 2;
    if (!good) return Failed("status " + std::to_string(status));
    if (body_.find(probe_.text) == std::string::npos) {
      return Failed("the text is not in the answer");
    }
    Answered();
  }

  HttpProbe probe_;
  asio::steady_timer timer_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;
  int wanted_ = 0;  // CURL_POLL_*
  bool reading_ = false;
  bool writing_ = false;
  std::string body_;
  bool enough_ = false;                        // of the body
  std::string fault_;                          // of the socket
  std::array<char, CURL_ERROR_SIZE> words_{};  // libcurl's, of what failed
  // In this order: each uses those before it.
  std::unique_ptr<curl_slist, FreeList> resolve_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::unique_ptr<CURL, FreeEasy> easy_;
};

}  // namespace

SocketRunPointer MakeHttpRun(asio::io_context& context, const ProbeOrder& order,
                             const HttpProbe& probe, ProbeDone done) {
  return std::make_shared<HttpRun>(context, order, probe, std::move(done));
}

}  // namespace uplinkd
