// Where the HTTP listener listens, and by which names it may be called.
//
// Pure; nothing is looked up.
#ifndef UPLINKD_EXPORTERS_HTTP_ADDRESS_H_
#define UPLINKD_EXPORTERS_HTTP_ADDRESS_H_

#include <optional>
#include <string_view>

#include "reconciler/ip.h"

namespace uplinkd {

struct ListenAddress {
  std::optional<Address> address;  // none: every address of the host
  int port = 0;
};

// "127.0.0.1:9871", "[::1]:9871", or ":9871" and "*:9871" for every address.
std::optional<ListenAddress> ParseListen(std::string_view listen);

// True if only this host can reach it.
bool IsLoopback(const ListenAddress& listen);

// True if a Host header has an address or "localhost", with a port or without.
// Whoever can make a browser take this host for another needs a name for it.
bool IsAddressOrLocalhost(std::string_view host);

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_HTTP_ADDRESS_H_
