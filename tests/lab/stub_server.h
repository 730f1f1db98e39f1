// StubServer: a listener whose every answer the test decides.
//
// One thread. UDP: each datagram is a request. TCP: what came up to an empty
// line is one, and the connection is closed after the answer. A request without
// an answer stays without one: the connection stands and is silent. Not for
// production code.
#ifndef UPLINKD_TESTS_LAB_STUB_SERVER_H_
#define UPLINKD_TESTS_LAB_STUB_SERVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "reconciler/linux/unique_fd.h"
#include "tests/lab/namespace.h"
#include "tests/lab/traffic_client.h"

namespace uplinkd::lab {

class StubServer {
 public:
  // Called in the server's thread.
  using Answer =
      std::function<std::optional<std::string>(const std::string& request)>;

  // Listens when it returns. Fails with what bind() says.
  static Result<std::unique_ptr<StubServer>> Start(const Namespace& where,
                                                   const Endpoint& own,
                                                   Answer answer);
  ~StubServer();

 private:
  StubServer(Transport transport, Answer answer)
      : transport_(transport), answer_(std::move(answer)) {}

  void Serve();
  void AnswerDatagram();
  void Accept();
  // False: the connection is done.
  bool Attend(int fd);

  Transport transport_;
  Answer answer_;
  UniqueFd listener_;
  UniqueFd stop_;                        // eventfd
  std::map<int, UniqueFd> clients_;      // of TCP
  std::map<int, std::string> requests_;  // as far as they came
  std::thread thread_;
};

// What a DNS server answers to `query`: the response code, and 192.0.2.99 as
// the address if `with_address`.
std::string DnsAnswer(const std::string& query, int response_code,
                      bool with_address);

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_STUB_SERVER_H_
