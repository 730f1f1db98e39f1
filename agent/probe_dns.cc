// The DNS probe: one query over UDP, answered by the server with an address.
//
// c-ares writes the query and reads the answer; the socket is ours, so that it
// is pinned as those of all probes are.
#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "agent/probe_run.h"
#include "agent/probe_socket.h"

namespace uplinkd {
namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::size_t kMaxDatagram = 4096;

using Message = std::vector<unsigned char>;

Result<Message> MakeQuery(const std::string& name) {
  const auto id = static_cast<unsigned short>(std::random_device()());
  unsigned char* bytes = nullptr;
  int size = 0;
  const int status =
      ares_create_query(name.c_str(), ns_c_in, ns_t_a, id,
                        /*rd=*/1, &bytes, &size, /*max_udp_size=*/0);
  if (status != ARES_SUCCESS) {
    return Fail(ErrorCode::kInvalidArgument, ares_strerror(status));
  }
  Message query(bytes, bytes + size);
  ares_free_string(bytes);
  return query;
}

// Whether `answer` is one to this query: the same id and the same question.
bool IsAnswerTo(const Message& query, const Message& answer) {
  constexpr std::size_t kFlags = 2;
  constexpr unsigned char kResponse = 0x80;
  if (answer.size() < query.size()) return false;
  return std::memcmp(answer.data(), query.data(), kFlags) == 0 &&
         (answer[kFlags] & kResponse) != 0 &&
         std::memcmp(answer.data() + NS_HFIXEDSZ, query.data() + NS_HFIXEDSZ,
                     query.size() - NS_HFIXEDSZ) == 0;
}

// ARES_SUCCESS if it holds an address, else what is wrong with it.
int Judge(const Message& answer) {
  const int response_code = answer[3] & 0x0f;
  // c-ares numbers the first five response codes in their order.
  if (response_code > ns_r_refused) return ARES_EBADRESP;
  if (response_code != ns_r_noerror) {
    return ARES_EFORMERR + response_code - ns_r_formerr;
  }
  std::array<ares_addrttl, 1> addresses{};
  int count = addresses.size();
  const int status =
      ares_parse_a_reply(answer.data(), static_cast<int>(answer.size()),
                         nullptr, addresses.data(), &count);
  if (status == ARES_SUCCESS && count == 0) return ARES_ENODATA;
  return status;
}

class DnsRun final : public SocketRun {
 public:
  DnsRun(asio::io_context& context, const ProbeOrder& order, DnsProbe probe,
         ProbeDone done)
      : SocketRun(context, order, std::move(done)), probe_(std::move(probe)) {}

 private:
  Result<void> Ask() override {
    Result<Message> query = MakeQuery(probe_.name);
    if (!query) return tl::unexpected(query.error());
    query_ = std::move(*query);
    Result<UniqueFd> socket =
        OpenPinned(path(), probe_.server.family(), SOCK_DGRAM, IPPROTO_UDP);
    if (!socket) return tl::unexpected(socket.error());
    // Only what comes from the server is received.
    Result<void> connected = ConnectTo(socket->get(), probe_.server, kDnsPort);
    if (!connected) return connected;
    if (send(socket->get(), query_.data(), query_.size(), 0) < 0) {
      return SocketFault("");
    }
    Own(std::move(*socket));
    AwaitReadable();
    return {};
  }

  void OnReadable() override {
    Message answer(kMaxDatagram);
    while (const std::size_t size = Receive(answer.data(), kMaxDatagram)) {
      answer.resize(size);
      if (IsAnswerTo(query_, answer)) {
        const int status = Judge(answer);
        return status == ARES_SUCCESS ? Answered()
                                      : Failed(ares_strerror(status));
      }
      answer.resize(kMaxDatagram);
    }
  }

  DnsProbe probe_;
  Message query_;
};

}  // namespace

SocketRunPointer MakeDnsRun(asio::io_context& context, const ProbeOrder& order,
                            const DnsProbe& probe, ProbeDone done) {
  return std::make_shared<DnsRun>(context, order, probe, std::move(done));
}

}  // namespace uplinkd
