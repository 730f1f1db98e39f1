#include "tests/lab/foreign.h"

#include <functional>
#include <sstream>

#include "tests/lab/process.h"

namespace uplinkd::lab {
namespace {

using LineFilter = std::function<bool(const std::string& line)>;

std::string Filter(const std::string& text, const LineFilter& keep) {
  std::istringstream lines(text);
  std::string line;
  std::string kept;
  bool keep_object = false;
  while (std::getline(lines, line)) {
    // The next hops of a route follow it on lines that begin with a tab.
    if (!line.starts_with('\t')) keep_object = keep(line);
    if (keep_object) kept += line + "\n";
  }
  return kept;
}

// A chain, a rule in it, a jump to it; or a route or an ip rule.
bool IsOurs(const std::string& line) {
  const std::string padded = line + " ";
  return padded.find("UPL-") != std::string::npos ||
         padded.find("proto 117 ") != std::string::npos;
}

// Tables that only we use come into being empty: comments, policies and
// framing lines say nothing about a foreign object.
bool IsFraming(const std::string& line) {
  return line.starts_with('#') || line.starts_with('*') || line == "COMMIT" ||
         (line.starts_with(':') && line.find(" ACCEPT ") != std::string::npos);
}

std::string Dump(const Namespace& where, const std::string& command) {
  const CommandResult result = Shell(where, command);
  return result.Ok() ? result.output
                     : "failed: " + command + ": " + result.output + "\n";
}

// Everything, with tables and protocols as numbers.
std::string WholeState(const Namespace& where) {
  return Dump(where, "iptables-legacy-save -c") +
         Dump(where, "ip -4 -N -d rule show") +
         Dump(where, "ip -4 -N -d route show table all") +
         Dump(where, "ip -6 -N -d rule show");
}

}  // namespace

// Those are "[packets:bytes]", and begin a rule or end a chain's line.
std::string WithoutCounters(const std::string& text) {
  std::string result;
  bool inside = false;
  for (const char letter : text) {
    if (letter == '[') inside = true;
    if (!inside) result += letter;
    if (letter == ']') inside = false;
  }
  return result;
}

std::string ForeignState(const Namespace& where, Counters counters) {
  std::string text = Filter(WholeState(where), [](const std::string& line) {
    return !IsOurs(line) && !IsFraming(line);
  });
  return counters == Counters::kCompare ? text : WithoutCounters(text);
}

std::string OwnState(const Namespace& where) {
  return WithoutCounters(Filter(WholeState(where), [](const std::string& line) {
    return IsOurs(line) && !IsFraming(line);
  }));
}

std::string OwnStateWithoutChoice(const Namespace& where) {
  return Filter(OwnState(where), [](const std::string& line) {
    return line.find("UPL-FATE") == std::string::npos &&
           line.find("UPL-PICK") == std::string::npos;
  });
}

bool AddForeignObjects(const Namespace& where, std::string* error) {
  const CommandResult result = Shell(where, R"(
iptables-legacy -t mangle -N vpn-marks
iptables-legacy -t mangle -A PREROUTING -i vpn0 -j vpn-marks
iptables-legacy -t mangle -A vpn-marks -p udp --dport 5060 -j DSCP --set-dscp 46
iptables-legacy -t mangle -A PREROUTING -i lan0 -p tcp --dport 9 -j MARK --set-xmark 0x10000/0x10000
iptables-legacy -t mangle -A PREROUTING -m comment --comment "counts"
iptables-legacy -t mangle -A OUTPUT -m comment --comment "counts out"
iptables-legacy -t mangle -A POSTROUTING -o vpn0 -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
iptables-legacy -t nat -N port-forwards
iptables-legacy -t nat -A PREROUTING -p tcp --dport 8080 -j port-forwards
iptables-legacy -t nat -A port-forwards -i vpn0 -p tcp -j DNAT --to-destination 192.168.10.2:80
iptables-legacy -t nat -A POSTROUTING -o vpn0 -j MASQUERADE
iptables-legacy -t filter -A FORWARD -m conntrack --ctstate INVALID -m limit --limit 5/sec -j LOG
iptables-legacy -t raw -A PREROUTING -p tcp --dport 7 -j NOTRACK
ip link add vpn0 type veth peer name vpn1
ip addr add 10.99.0.1/24 dev vpn0
ip link set vpn1 up
ip link set vpn0 up
ip route add 10.98.0.0/16 via 10.99.0.2 proto 99
ip route add default via 10.99.0.2 table 500 proto 16
ip route add 10.97.0.0/16 via 10.99.0.2 table 500 metric 7
ip rule add priority 15000 from 10.97.0.0/16 lookup 500 protocol 16
ip rule add priority 20150 fwmark 0x10000/0x10000 lookup 500 protocol 99
ip rule add priority 25000 to 10.96.0.0/16 lookup 500
)");
  if (!result.Ok()) *error = result.output;
  return result.Ok();
}

}  // namespace uplinkd::lab
