#include "reconciler/sharers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "reconciler/names.h"
#include "reconciler/validate_policy.h"

namespace uplinkd {
namespace {

bool Shares(const Uplink& one, const Uplink& other) {
  return one.interface == other.interface && one.name != other.name;
}

bool ShareFamily(const Uplink& one, const Uplink& other, Family family) {
  return Shares(one, other) && CarriesFamily(one, family) &&
         CarriesFamily(other, family);
}

class SharerCheck {
 public:
  SharerCheck(const Spec& spec, std::size_t index)
      : spec_(spec), index_(index), uplink_(spec.uplinks[index]) {}

  std::vector<Violation> Run() {
    CheckFamily(Family::kIpv4);
    CheckFamily(Family::kIpv6);
    return std::move(found_);
  }

 private:
  void Report(const std::string& field, std::string message) {
    found_.push_back(
        {Index("spec.uplinks", index_) + "." + field, std::move(message)});
  }

  void CheckFamily(Family family) {
    const auto other =
        std::ranges::find_if(spec_.uplinks, [&](const Uplink& candidate) {
          return ShareFamily(uplink_, candidate, family);
        });
    if (other == spec_.uplinks.end()) return;
    const std::string too = "uplink " + Quote(other->name) + " is on " +
                            Quote(uplink_.interface) + " as well";
    const std::string six = family == Family::kIpv6 ? "6" : "";
    if (!AddressOf(uplink_, family)) {
      Report("address" + six,
             "is needed, since " + too +
                 ": which of the interface's addresses is whose cannot be "
                 "learned");
    }
    if (!GatewayOf(uplink_, family)) {
      Report("gateway" + six, "is needed, since " + too +
                                  ": which gateway is whose cannot be learned");
    }
    CheckGateway("gateway" + six, family);
    CheckTranslation("nat" + six, family, too);
  }

  void CheckGateway(const std::string& field, Family family) {
    const std::optional<Address>& gateway = GatewayOf(uplink_, family);
    if (!gateway) return;
    for (std::size_t i = 0; i < index_; ++i) {
      const Uplink& other = spec_.uplinks[i];
      if (!ShareFamily(uplink_, other, family)) continue;
      if (GatewayOf(other, family) != gateway) continue;
      return Report(field, gateway->ToString() + " is the gateway of uplink " +
                               Quote(other.name) + " on " +
                               Quote(uplink_.interface) +
                               " already; two uplinks on one interface need "
                               "two gateways");
    }
  }

  void CheckTranslation(const std::string& field, Family family,
                        const std::string& too) {
    const Nat nat = TranslationOf(uplink_, family);
    if (nat == Nat::kMasquerade) {
      Report(field, "masquerade takes the address by the interface, but " +
                        too + "; use snat");
    }
    const bool own_interface = uplink_.prefix6_interface.empty() ||
                               uplink_.prefix6_interface == uplink_.interface;
    if (nat == Nat::kPrefix && !uplink_.prefix6 && own_interface) {
      Report("prefix6",
             "is needed, since " + too +
                 ": which of the interface's networks is whose cannot be "
                 "learned; write prefix6 or another prefix6Interface");
    }
  }

  const Spec& spec_;
  std::size_t index_;
  const Uplink& uplink_;
  std::vector<Violation> found_;
};

}  // namespace

bool SharesInterface(const Spec& spec, const Uplink& uplink, Family family) {
  return std::ranges::any_of(spec.uplinks, [&](const Uplink& other) {
    return ShareFamily(uplink, other, family);
  });
}

bool SharesInterface(const Spec& spec, const Uplink& uplink) {
  return std::ranges::any_of(
      spec.uplinks, [&](const Uplink& other) { return Shares(uplink, other); });
}

std::vector<Violation> CheckSharer(const Spec& spec, std::size_t index) {
  // Of no interface there is nothing to share.
  if (!InterfaceFault(spec.uplinks[index].interface).empty()) return {};
  return SharerCheck(spec, index).Run();
}

}  // namespace uplinkd
