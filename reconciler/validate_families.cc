#include "reconciler/validate_families.h"

#include <string>
#include <utility>

#include "reconciler/names.h"
#include "reconciler/validate_policy.h"

namespace uplinkd {
namespace {

class FamilyCheck {
 public:
  FamilyCheck(const Spec& spec, std::size_t index)
      : spec_(spec),
        index_(index),
        uplink_(spec.uplinks[index]),
        path_(Index("spec.uplinks", index)) {}

  std::vector<Violation> Run() {
    CheckIpv4();
    CheckIpv6();
    CheckPrefix();
    CheckPrefixInterface();
    return std::move(found_);
  }

 private:
  void Report(const std::string& field, std::string message) {
    found_.push_back({path_ + "." + field, std::move(message)});
  }

  // That a field is given which the uplink has no use for.
  void Useless(bool given, const std::string& field, const char* family) {
    if (!given) return;
    Report(field, std::string("is for ") + family +
                      ", which this uplink does not carry; remove it, or "
                      "write family: both");
  }

  void CheckIpv4() {
    if (uplink_.nat == Nat::kPrefix) {
      Report("nat", "prefix is for IPv6, as nat6; use snat or masquerade");
    }
    if (CarriesFamily(uplink_, Family::kIpv4)) return;
    Useless(uplink_.address.has_value(), "address", "IPv4");
    Useless(uplink_.gateway.has_value(), "gateway", "IPv4");
    const bool nat = uplink_.nat != Nat::kSnat && uplink_.nat != Nat::kPrefix;
    Useless(nat, "nat", "IPv4");
  }

  void CheckIpv6() {
    if (CarriesFamily(uplink_, Family::kIpv6)) return;
    Useless(uplink_.address6.has_value(), "address6", "IPv6");
    Useless(uplink_.gateway6.has_value(), "gateway6", "IPv6");
    Useless(uplink_.nat6 != Nat::kSnat, "nat6", "IPv6");
  }

  void CheckPrefix() {
    if (!uplink_.prefix6) return;
    const Prefix& prefix = *uplink_.prefix6;
    const std::string fault = AddressFault(prefix, Family::kIpv6);
    if (!fault.empty()) {
      return Report("prefix6", prefix.ToString() + " " + fault);
    }
    if (uplink_.nat6 != Nat::kPrefix) {
      return Report("prefix6", "means something with nat6: prefix alone");
    }
    for (std::size_t i = 0; i < index_; ++i) {
      const Uplink& other = spec_.uplinks[i];
      if (!other.prefix6 || !other.prefix6->Overlaps(prefix)) continue;
      return Report("prefix6", prefix.ToString() + " overlaps " +
                                   other.prefix6->ToString() + " of uplink " +
                                   Quote(other.name));
    }
  }

  void CheckPrefixInterface() {
    const std::string& interface = uplink_.prefix6_interface;
    if (interface.empty()) return;
    const std::string fault = InterfaceFault(interface);
    if (!fault.empty()) return Report("prefix6Interface", fault);
    if (uplink_.nat6 != Nat::kPrefix) {
      return Report("prefix6Interface",
                    "means something with nat6: prefix alone");
    }
    for (std::size_t i = 0; i < index_; ++i) {
      const Uplink& other = spec_.uplinks[i];
      if (other.prefix6_interface != interface) continue;
      return Report("prefix6Interface",
                    Quote(interface) + " is where the prefix of uplink " +
                        Quote(other.name) +
                        " is learned; each provider delegates another one");
    }
    if (uplink_.prefix6) {
      Report("prefix6Interface",
             "says where to learn what prefix6 says; remove one of the two");
    }
  }

  const Spec& spec_;
  std::size_t index_;
  const Uplink& uplink_;
  std::string path_;
  std::vector<Violation> found_;
};

}  // namespace

std::vector<Violation> CheckFamilies(const Spec& spec, std::size_t index) {
  return FamilyCheck(spec, index).Run();
}

}  // namespace uplinkd
