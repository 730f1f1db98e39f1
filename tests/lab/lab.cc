#include "tests/lab/lab.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace uplinkd::lab {
namespace {

std::string Text(std::size_t number) {
  return std::to_string(number);
}

// A token bucket on `link`, or nothing for an unlimited direction. The queue
// holds at most 50 ms, as a line with a sane modem does.
std::string Shape(const std::string& link, int mbit) {
  if (mbit == 0) return "";
  return "tc qdisc replace dev " + link + " root tbf rate " +
         std::to_string(mbit) + "mbit burst 16k latency 50ms\n";
}

Result<void> RunScript(const Namespace& where, const std::string& script) {
  const CommandResult result = Shell(where, script);
  if (result.Ok()) return {};
  return Fail(ErrorCode::kInternal, "lab: " + result.output);
}

// The value of one counter of /proc/net/netstat, whose lines come in pairs:
// names, then values.
std::uint64_t NetstatCounter(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  std::string names;
  std::string values;
  while (std::getline(lines, names) && std::getline(lines, values)) {
    std::istringstream name_stream(names);
    std::istringstream value_stream(values);
    std::string column;
    std::string value;
    while (name_stream >> column && value_stream >> value) {
      if (column == name) return std::stoull(value);
    }
  }
  return 0;
}

}  // namespace

std::string ClientAddress(int ordinal) {
  return "192.168.10." + std::to_string(2 + ordinal);
}
std::string UplinkAddress(std::size_t n) {
  return "198.18." + Text(n) + ".2";
}
std::string GatewayAddress(std::size_t n) {
  return "198.18." + Text(n) + ".1";
}
std::string UplinkInterface(std::size_t n) {
  return "wan" + Text(n);
}

Result<std::unique_ptr<Lab>> Lab::Create(const LabOptions& options) {
  Result<Namespace> client = Namespace::Create();
  if (!client) return tl::unexpected(client.error());
  Result<Namespace> router = Namespace::Create();
  if (!router) return tl::unexpected(router.error());
  Result<Namespace> server = Namespace::Create();
  if (!server) return tl::unexpected(server.error());
  std::unique_ptr<Lab> lab(
      new Lab(std::move(*client), std::move(*router), std::move(*server)));
  lab->options_ = options;
  for (std::size_t i = 0; i < options.lines.size(); ++i) {
    Result<Namespace> provider = Namespace::Create();
    if (!provider) return tl::unexpected(provider.error());
    lab->providers_.push_back(std::move(*provider));
  }
  if (Result<void> built = lab->Build(); !built) {
    return tl::unexpected(built.error());
  }
  return lab;
}

Lab::~Lab() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Result<void> Lab::Build() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "uplinkd-lab-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return Fail(ErrorCode::kUnavailable, "lab: " + pattern, errno);
  }
  directory_ = pattern;
  setenv("XTABLES_LOCKFILE", (directory_ / "xtables.lock").c_str(), 1);

  const std::string rp = std::to_string(options_.rp_filter);
  const std::string client_lines = [&] {
    std::string lines;
    for (int i = 0; i < options_.client_addresses; ++i) {
      lines += "ip addr add " + ClientAddress(i) + "/24 dev eth0\n";
    }
    return lines;
  }();
  Result<void> done = RunScript(
      router_, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=" +
                   rp + " net.ipv4.conf.default.rp_filter=" + rp +
                   "\n"
                   "ip link add lan0 type veth peer name eth0 netns " +
                   client_.Path() + "\nip addr add " + kRouterLanAddress +
                   "/24 dev lan0\nip link set lan0 up\n");
  if (!done) return done;
  done = RunScript(client_, client_lines +
                                "ip link set eth0 up\n"
                                "ip route add default via " +
                                kRouterLanAddress + "\n");
  if (!done) return done;
  done = RunScript(server_, std::string("ip addr add ") + kServerAddress +
                                "/32 dev lo\n"
                                "sysctl -qw net.ipv4.conf.all.rp_filter=0 "
                                "net.ipv4.conf.default.rp_filter=0 "
                                "net.ipv4.tcp_max_syn_backlog=4096\n");
  if (!done) return done;
  for (std::size_t n = 1; n <= providers_.size(); ++n) {
    const std::string source = options_.check_sources ? "1" : "0";
    done = RunScript(
        provider(n),
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=" +
            source + " net.ipv4.conf.default.rp_filter=" + source +
            "\nip link add up0 type veth peer name net" + Text(n) + " netns " +
            server_.Path() + "\nip addr add 198.19." + Text(n) +
            ".1/24 dev up0\nip link set up0 up\n");
    if (!done) return done;
    const CommandResult plugged = PlugIn(n);
    if (!plugged.Ok()) {
      return Fail(ErrorCode::kInternal, "lab: " + plugged.output);
    }
    done =
        RunScript(server_, "ip addr add 198.19." + Text(n) + ".2/24 dev net" +
                               Text(n) + "\nip link set net" + Text(n) +
                               " up\nip route add 198.18." + Text(n) +
                               ".0/24 via 198.19." + Text(n) + ".1 src " +
                               kServerAddress + "\n");
    if (!done) return done;
    done = RunScript(provider(n), std::string("ip route replace ") +
                                      kServerAddress + " via 198.19." +
                                      Text(n) + ".2\n");
    if (!done) return done;
  }
  return {};
}

std::string Lab::LineScript(std::size_t n) const {
  const std::string link = UplinkInterface(n);
  return "ip link add " + link + " type veth peer name cust0 netns " +
         provider(n).Path() + "\nip addr add " + UplinkAddress(n) + "/24 dev " +
         link + "\nip link set " + link + " up\n" +
         Shape(link, options_.lines[n - 1].upload);
}

CommandResult Lab::PlugIn(std::size_t n) const {
  CommandResult result = Shell(router_, LineScript(n));
  if (!result.Ok()) return result;
  result =
      Shell(provider(n), "ip addr add " + GatewayAddress(n) +
                             "/24 dev cust0\nip link set cust0 up\n" +
                             Shape("cust0", options_.lines[n - 1].download));
  if (!result.Ok()) return result;
  return Shell(router_, "ip route add default via " + GatewayAddress(n) +
                            " dev " + UplinkInterface(n) + " metric " +
                            Text(100 * n));
}

std::uint64_t Lab::WrongSources(std::size_t n) const {
  std::string text;
  provider(n).Run([&] {
    std::ifstream file("/proc/thread-self/net/netstat");
    text.assign(std::istreambuf_iterator<char>(file), {});
  });
  return NetstatCounter(text, "IPReversePathFilter");
}

std::uint64_t Lab::WrongSources() const {
  std::uint64_t sum = 0;
  for (std::size_t n = 1; n <= providers_.size(); ++n) sum += WrongSources(n);
  return sum;
}

}  // namespace uplinkd::lab
