#include "tests/chaos/world.h"

#include <utility>

#include "tests/lab/foreign.h"
#include "tests/lab/process.h"

namespace uplinkd::chaos {
namespace {

std::string Text(std::size_t number) {
  return std::to_string(number);
}

std::string Network(std::size_t n) {
  return "198.18." + Text(n) + ".";
}

// Links of the copies carry nothing but probes.
std::string LanScript(const lab::Namespace& far) {
  return std::string("ip link add lan0 type veth peer name eth0 netns ") +
         far.Path() + "\nip addr add " + lab::kRouterLanAddress +
         "/24 dev lan0\nip link set lan0 up\n";
}

// Rules that no packet meets, with counters that must stay.
constexpr char kCountedScript[] =
    "iptables-legacy -t mangle -A FORWARD -i vpn0 -p udp -c 7 420\n"
    "iptables-legacy -t mangle -A PREROUTING -i vpn0 -p 99 -c 9 90\n"
    "iptables-legacy -t nat -A POSTROUTING -o vpn0 -p 99 -c 3 33 -j RETURN\n";

}  // namespace

Result<World::Copy> World::MakeCopy() {
  Result<lab::Namespace> router = lab::Namespace::Create();
  if (!router) return tl::unexpected(router.error());
  Result<lab::Namespace> far = lab::Namespace::Create();
  if (!far) return tl::unexpected(far.error());
  return Copy{std::move(*router), std::move(*far)};
}

Result<std::unique_ptr<World>> World::Create() {
  Result<std::unique_ptr<lab::Lab>> lab = lab::Lab::Create(
      {.lines = std::vector<lab::Line>(kLines), .client_addresses = 2});
  if (!lab) return tl::unexpected(lab.error());
  Result<Copy> twin = MakeCopy();
  if (!twin) return tl::unexpected(twin.error());
  Result<Copy> mirror = MakeCopy();
  if (!mirror) return tl::unexpected(mirror.error());
  std::unique_ptr<World> world(
      new World(std::move(*lab), std::move(*twin), std::move(*mirror)));
  world->BuildCopy(world->twin_);
  world->BuildCopy(world->mirror_);
  // Shorter than a call waits for.
  world->Run(world->lab_->server(), "sysctl -qw net.ipv4.tcp_synack_retries=1");
  for (std::size_t n = 1; n <= kLines; ++n) {
    world->Run(world->lab_->provider(n),
               "ip addr add " + Network(n) + "9/24 dev cust0");
  }
  for (const lab::Namespace* where :
       {&world->router(), &world->twin(), &world->mirror()}) {
    std::string error;
    if (!lab::AddForeignObjects(*where, &error)) {
      return Fail(ErrorCode::kInternal, "chaos: " + error);
    }
  }
  world->Everywhere(kCountedScript);
  world->AddForwards();
  const std::vector<std::string> faults = world->TakeFaults();
  if (!faults.empty()) return Fail(ErrorCode::kInternal, faults.front());
  return world;
}

void World::BuildCopy(const Copy& copy) {
  Run(copy.router,
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=2 "
      "net.ipv4.conf.default.rp_filter=2\n" +
          LanScript(copy.far));
  Run(copy.far, std::string("ip link set eth0 up\nip addr add ") +
                    lab::kServerAddress + "/32 dev lo\n");
  for (std::size_t n = 1; n <= kLines; ++n) PlugInto(copy, n);
}

void World::PlugInto(const Copy& copy, std::size_t n) {
  const std::string link = lab::UplinkInterface(n);
  const std::string peer = "cust" + Text(n);
  Run(copy.router, "ip link add " + link + " type veth peer name " + peer +
                       " netns " + copy.far.Path() + "\nip addr add " +
                       lab::UplinkAddress(n) + "/24 dev " + link +
                       "\nip link set " + link + " up\n");
  Run(copy.far, "ip addr add " + Network(n) + "1/24 dev " + peer +
                    "\nip addr add " + Network(n) + "9/24 dev " + peer +
                    "\nip link set " + peer + " up\n");
  Run(copy.router, "ip route add default via " + lab::GatewayAddress(n) +
                       " dev " + link + " metric " + Text(100 * n));
}

void World::Run(const lab::Namespace& where, const std::string& script) {
  const lab::CommandResult result = lab::Shell(where, script);
  if (!result.Ok()) faults_.push_back(script + ": " + result.output);
}

void World::OnRouter(const std::string& script) {
  Run(router(), script);
}

void World::Everywhere(const std::string& script) {
  Everywhere(script, script);
}

void World::Everywhere(const std::string& router, const std::string& copies) {
  Run(lab_->router(), router);
  Run(twin(), copies);
  Run(mirror(), copies);
}

std::vector<std::string> World::TakeFaults() {
  return std::exchange(faults_, {});
}

std::string World::DefaultRoute(std::size_t n) const {
  const LineState& state = line(n);
  if (!state.Routable()) return "";
  return "ip route replace default via " + Network(n) +
         std::to_string(state.gateway) + " dev " + lab::UplinkInterface(n) +
         " metric " + Text(100 * n) + "\n";
}

void World::AddForwards() {
  const std::string nat = "iptables-legacy -w 10 -t nat ";
  std::string script;
  for (std::size_t n = 1; n <= kLines; ++n) {
    const std::string rule = " PREROUTING -i " + lab::UplinkInterface(n) +
                             " -p tcp --dport 8081 -j DNAT --to-destination " +
                             lab::ClientAddress() + ":7000";
    script += nat + "-C" + rule + " 2>/dev/null || " + nat + "-A" + rule + "\n";
  }
  Everywhere(script);
}

void World::EndConnections(const std::vector<std::uint16_t>& ports) {
  const std::string forget = "conntrack -D -p tcp ";
  const std::string or_nothing = " >/dev/null 2>&1 || true\n";
  std::string entries = forget + "--state SYN_SENT" + or_nothing;
  std::string filter;
  for (const std::uint16_t port : ports) {
    const std::string number = std::to_string(port);
    filter += (filter.empty() ? "dport = :" : " or dport = :") + number;
    entries += forget + "--sport " + number + or_nothing;
  }
  if (!ports.empty()) {
    const std::string sockets = "ss -HKtn state connected '( " + filter + " )'";
    Run(lab_->server(), sockets);
    Run(lab_->client(), sockets);
  }
  OnRouter(entries);
}

void World::SetUp(std::size_t n, bool up) {
  lines_.at(n - 1).up = up;
  // The kernel drops the routes of a link that goes down; a DHCP client brings
  // its own back.
  Everywhere("ip link set " + lab::UplinkInterface(n) +
             (up ? " up\n" + DefaultRoute(n) : " down\n"));
}

// The same at the provider and at the far ends of the copies, where `LINK`
// stands for the customer's link.
void World::SetFar(std::size_t n, const std::string& script) {
  const auto with = [&](const std::string& link) {
    std::string text = script;
    text.replace(text.find("LINK"), 4, link);
    return text;
  };
  Run(lab_->provider(n), with("cust0"));
  Run(twin_.far, with("cust" + Text(n)));
  Run(mirror_.far, with("cust" + Text(n)));
}

void World::SetCarrier(std::size_t n, bool carrier) {
  lines_.at(n - 1).carrier = carrier;
  SetFar(n, std::string("ip link set LINK ") + (carrier ? "up" : "down"));
}

void World::SetDead(std::size_t n, bool dead) {
  if (std::exchange(lines_.at(n - 1).dead, dead) == dead) return;
  SetFar(n, std::string("iptables-legacy -w 10 -t raw ") +
                (dead ? "-A" : "-D") + " PREROUTING -i LINK -j DROP");
}

void World::SetAddress(std::size_t n, int host) {
  lines_.at(n - 1).host = host;
  const std::string link = lab::UplinkInterface(n);
  std::string script = "ip addr flush dev " + link + " scope global\n";
  if (host != 0) {
    script += "ip addr add " + Network(n) + std::to_string(host) + "/24 dev " +
              link + "\n" + DefaultRoute(n);
  }
  Everywhere(script);
}

void World::SetGateway(std::size_t n, int gateway) {
  lines_.at(n - 1).gateway = gateway;
  Everywhere(DefaultRoute(n));
}

void World::Unplug(std::size_t n) {
  lines_.at(n - 1).plugged = false;
  Everywhere("ip link del " + lab::UplinkInterface(n));
}

void World::PlugIn(std::size_t n) {
  LineState fresh;
  fresh.dead = line(n).dead;
  lines_.at(n - 1) = fresh;
  const lab::CommandResult plugged = lab_->PlugIn(n);
  if (!plugged.Ok()) faults_.push_back("plug in: " + plugged.output);
  Run(lab_->provider(n), "ip addr add " + Network(n) + "9/24 dev cust0");
  PlugInto(twin_, n);
  PlugInto(mirror_, n);
}

bool World::Works(const ChaosUplink& uplink) const {
  const LineState& state = line(uplink.line);
  if (!state.Linked() || state.dead || state.host == 0) return false;
  return uplink.learns || state.host == 2;
}

Lines World::Silent() const {
  Lines silent;
  for (std::size_t n = 1; n <= kLines; ++n) {
    if (line(n).dead) silent.insert(n);
  }
  return silent;
}

}  // namespace uplinkd::chaos
