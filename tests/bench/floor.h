// Floor: the bare kernel calls that any reader of the same facts must make.
//
// Raw netlink requests, made beforehand, whose answers are received and
// thrown away: one strict dump per routing table, one of all ip rules, and for
// each link the link, its addresses, and the default route through it; then one
// raw IPT_SO_GET_ENTRIES per xtables table. Nothing is parsed or compared.
#ifndef UPLINKD_TESTS_BENCH_FLOOR_H_
#define UPLINKD_TESTS_BENCH_FLOOR_H_

#include <cstdint>
#include <string>
#include <vector>

namespace uplinkd::bench {

class Floor {
 public:
  // For the network namespace of the calling thread.
  Floor(const std::vector<std::string>& links,
        const std::vector<std::uint32_t>& tables);
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;
  ~Floor();

  // Asks everything once. False if the kernel refused something.
  bool Run();

 private:
  struct Request {
    std::vector<char> bytes;
    bool dump = false;
  };

  void AddRequest(std::uint16_t type, std::uint16_t flags, const void* header,
                  std::size_t header_size, std::uint16_t attribute,
                  const void* value, std::size_t value_size);
  bool Ask(const Request& request);
  bool ReadTable(const char* table);

  int netlink_ = -1;
  int raw_ = -1;
  std::vector<Request> requests_;
  std::vector<char> buffer_;
};

}  // namespace uplinkd::bench

#endif  // UPLINKD_TESTS_BENCH_FLOOR_H_
