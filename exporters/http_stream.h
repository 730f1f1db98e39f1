// HttpStream: a client's connection as the HTTP library sees it.
//
// The library only ever gets a whole request, and what it reads and writes has
// an end: a client that sends a byte now and then, or takes one, does not get
// a place for longer than the others. For one thread.
#ifndef UPLINKD_EXPORTERS_HTTP_STREAM_H_
#define UPLINKD_EXPORTERS_HTTP_STREAM_H_

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace uplinkd {

class HttpStream final : public httplib::Stream {
 public:
  explicit HttpStream(int fd) : fd_(fd) {}  // stays the caller's

  // Receives a request's head within 2 s, at most 500 ms of them without a
  // byte. False if there is none or it is refused, which the client was told.
  // If true, what may be seen of it can be read, and 5 s are left to answer.
  bool Receive();

  bool is_readable() const override { return read_ < head_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  // Nobody asks.
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return fd_; }

 private:
  // Waits for poll(2)'s `events`; false if they do not come in time.
  bool Wait(short events) const;
  // Reads until the head is complete or too long; an HTTP status if it does
  // not become either, and -1 if the client has gone.
  int ReadHead();
  void Refuse(int status);

  const int fd_;
  std::chrono::steady_clock::time_point until_;
  std::string head_;
  std::size_t read_ = 0;  // how much of it the library has
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_HTTP_STREAM_H_
