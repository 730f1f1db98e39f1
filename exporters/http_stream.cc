#include "exporters/http_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "exporters/http_head.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kToAsk{2000};
constexpr milliseconds kToTakeTheAnswer{5000};
constexpr milliseconds kWithoutAByte{500};

constexpr int kGone = -1;
constexpr int kTooSlow = 408;

}  // namespace

bool HttpStream::Receive() {
  until_ = steady_clock::now() + kToAsk;
  int refusal = ReadHead();
  until_ = steady_clock::now() + kToTakeTheAnswer;
  if (refusal == 0) {
    AdmittedHead admitted = AdmitHead(head_);
    refusal = admitted.refusal;
    head_ = std::move(admitted.text);
  }
  if (refusal > 0) Refuse(refusal);
  return refusal == 0;
}

int HttpStream::ReadHead() {
  std::array<char, 4096> part;
  for (std::size_t seen = 0; EndOfHead(head_, seen) == std::string::npos;) {
    seen = head_.size();
    if (seen > kMaxHeadBytes) break;
    if (!Wait(POLLIN)) return kTooSlow;
    const ssize_t got = recv(fd_, part.data(), part.size(), MSG_DONTWAIT);
    if (got > 0) {
      head_.append(part.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      return kGone;
    }
  }
  return 0;
}

void HttpStream::Refuse(int status) {
  const std::string text =
      "HTTP/1.1 " + std::to_string(status) +
      " Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  // Whoever does not take it is not told.
  static_cast<void>(
      send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

ssize_t HttpStream::read(char* to, std::size_t size) {
  const std::size_t count = head_.copy(to, size, read_);
  read_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t HttpStream::write(const char* from, std::size_t size) {
  while (Wait(POLLOUT)) {
    const ssize_t sent = send(fd_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (errno != EINTR && errno != EAGAIN) break;
  }
  return -1;
}

void HttpStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void HttpStream::get_local_ip_and_port(std::string& ip, int& port) const {
  get_remote_ip_and_port(ip, port);
}

bool HttpStream::Wait(short events) const {
  const auto left =
      std::chrono::ceil<milliseconds>(until_ - steady_clock::now());
  if (left <= milliseconds::zero()) return false;
  const auto timeout = std::min(left, kWithoutAByte);
  pollfd ready{fd_, events, 0};
  const int result = poll(&ready, 1, static_cast<int>(timeout.count()));
  return result > 0 || (result < 0 && errno == EINTR);
}

}  // namespace uplinkd
