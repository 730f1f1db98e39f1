// Validate(): every rule that a spec must keep, each as one small check.
//
// The checks run in the order of the fields, and each looks only back, so that
// of two fields in conflict the later one is named.
#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <set>
#include <string_view>

#include "reconciler/hex.h"
#include "reconciler/names.h"
#include "reconciler/sharers.h"
#include "reconciler/spec.h"
#include "reconciler/validate_families.h"
#include "reconciler/validate_health.h"
#include "reconciler/validate_policy.h"
#include "reconciler/validate_traffic.h"

namespace uplinkd {
namespace {

constexpr std::size_t kMaxLabel = 128;  // of metadata
constexpr std::uint64_t kMinCapacity = 1000;
constexpr std::uint64_t kMaxCapacity = 100'000'000'000'000;

struct Direction {
  std::string_view name;
  std::uint64_t Capacity::*bits_per_second;
};
constexpr std::array<Direction, 2> kDirections = {
    {{"download", &Capacity::download}, {"upload", &Capacity::upload}}};

class Validator {
 public:
  explicit Validator(const Spec& spec) : spec_(spec) {}

  std::vector<Violation> Run() {
    CheckLabel("metadata.name", spec_.name);
    CheckLabel("metadata.revision", spec_.revision);
    CheckLans();
    CheckUplinks();
    Add(CheckPolicies(spec_));
    Add(CheckTraffic(spec_));
    CheckMask();
    CheckTableBase();
    return std::move(found_);
  }

 private:
  void Report(std::string field, std::string message) {
    found_.push_back({std::move(field), std::move(message)});
  }

  void Add(std::vector<Violation> more) {
    std::ranges::move(more, std::back_inserter(found_));
  }

  void ReportUnlessEmpty(const std::string& field, std::string message) {
    if (!message.empty()) Report(field, std::move(message));
  }

  // How many of a list to look at.
  std::size_t CheckCount(const std::string& field, const std::string& things,
                         std::size_t count, std::size_t max) {
    if (count > max) {
      Report(field, std::to_string(count) + " " + things +
                        " are too many; at most " + std::to_string(max) +
                        " are supported");
    }
    return std::min(count, max);
  }

  // Labels of status and metrics: any text on one line.
  void CheckLabel(const std::string& field, const std::string& text) {
    if (text.size() > kMaxLabel) Report(field, "is longer than 128 bytes");
    if (!std::all_of(text.begin(), text.end(),
                     [](char c) { return c == ' ' || IsPrintable(c); })) {
      Report(field, "may hold no line breaks or control characters");
    }
  }

  // ---- LANs ----

  void CheckLans() {
    const std::size_t count =
        CheckCount("spec.lans", "LANs", spec_.lans.size(), kMaxLans);
    for (std::size_t i = 0; i < count; ++i) {
      const Lan& lan = spec_.lans[i];
      const std::string path = Index("spec.lans", i);
      ReportUnlessEmpty(path + ".interface", LanInterfaceFault(i));
      const std::size_t networks = CheckCount(
          path + ".networks", "networks", lan.networks.size(), kMaxNetworks);
      for (std::size_t j = 0; j < networks; ++j) {
        std::string fault = AddressFault(lan.networks[j]);
        if (fault.empty()) fault = NotCarriedFault(lan.networks[j].family());
        ReportUnlessEmpty(Index(path + ".networks", j),
                          fault.empty()
                              ? OverlapFault(i, j)
                              : lan.networks[j].ToString() + " " + fault);
      }
    }
  }

  std::string LanInterfaceFault(std::size_t index) const {
    const std::string& interface = spec_.lans[index].interface;
    std::string fault = InterfaceFault(interface);
    if (!fault.empty()) return fault;
    for (std::size_t i = 0; i < index; ++i) {
      if (spec_.lans[i].interface == interface) {
        return Quote(interface) +
               " is a LAN already; list all its networks there";
      }
    }
    return "";
  }

  std::string NotCarriedFault(Family family) const {
    const std::vector<Family> families = FamiliesOf(spec_);
    if (std::ranges::find(families, family) != families.end()) return "";
    return std::string("is ") + FamilyName(family) +
           ", which no uplink of this spec carries";
  }

  std::string OverlapFault(std::size_t lan, std::size_t network) const {
    const Prefix& prefix = spec_.lans[lan].networks[network];
    for (std::size_t i = 0; i <= lan; ++i) {
      const std::vector<Prefix>& others = spec_.lans[i].networks;
      const std::size_t end =
          i == lan ? network : std::min(others.size(), kMaxNetworks);
      for (std::size_t j = 0; j < end; ++j) {
        if (others[j].Overlaps(prefix) && AddressFault(others[j]).empty()) {
          return prefix.ToString() + " overlaps " + others[j].ToString() +
                 " of " + Quote(spec_.lans[i].interface);
        }
      }
    }
    return "";
  }

  // ---- uplinks ----

  void CheckUplinks() {
    if (spec_.uplinks.empty()) {
      Report("spec.uplinks", "at least one uplink is needed");
    }
    const std::size_t count = CheckCount("spec.uplinks", "uplinks",
                                         spec_.uplinks.size(), kMaxUplinks);
    for (std::size_t i = 0; i < count; ++i) {
      const Uplink& uplink = spec_.uplinks[i];
      const std::string path = Index("spec.uplinks", i);
      CheckUplinkName(path + ".name", i);
      ReportUnlessEmpty(path + ".interface",
                        UplinkInterfaceFault(uplink.interface));
      CheckAddresses(path, Family::kIpv4, i);
      CheckId(path + ".id", i);
      CheckCapacity(path + ".capacity", uplink);
      CheckWeight(path + ".weight", uplink);
      if (uplink.health) {
        Add(CheckHealth(spec_, uplink, *uplink.health, path + ".health"));
      }
      Add(CheckRoundTrip(spec_, uplink, path));
      CheckAddresses(path, Family::kIpv6, i);
      Add(CheckFamilies(spec_, i));
      Add(CheckSharer(spec_, i));
    }
  }

  void CheckAddresses(const std::string& path, Family family,
                      std::size_t index) {
    const Uplink& uplink = spec_.uplinks[index];
    const std::string six = family == Family::kIpv6 ? "6" : "";
    const std::string address = path + ".address" + six;
    const std::string gateway = path + ".gateway" + six;
    CheckAddress(address, AddressOf(uplink, family), family);
    CheckDuplicateAddress(address, family, index);
    const std::optional<Address>& router = GatewayOf(uplink, family);
    // Routers are often known by such an address alone.
    if (!router || !router->IsLinkLocal() || family == Family::kIpv4) {
      CheckAddress(gateway, router, family);
    }
    CheckGatewayIsForeign(gateway, family, router);
  }

  void CheckUplinkName(const std::string& field, std::size_t index) {
    const std::string& name = spec_.uplinks[index].name;
    const std::string fault = UplinkNameFault(name);
    if (!fault.empty()) return Report(field, fault);
    for (std::size_t i = 0; i < index; ++i) {
      if (spec_.uplinks[i].name == name) {
        return Report(field, Quote(name) + " is the name of " +
                                 Index("spec.uplinks", i) + " already");
      }
    }
  }

  std::string UplinkInterfaceFault(const std::string& interface) const {
    std::string fault = InterfaceFault(interface);
    if (!fault.empty()) return fault;
    for (const Lan& lan : spec_.lans) {
      if (lan.interface == interface) {
        return Quote(interface) + " is a LAN; it cannot be an uplink as well";
      }
    }
    return "";
  }

  void CheckAddress(const std::string& field,
                    const std::optional<Address>& address, Family family) {
    if (!address) return;
    const std::string fault = AddressFault(Prefix::Host(*address), family);
    if (!fault.empty()) {
      return Report(field, address->ToString() + " " + fault);
    }
    for (const Lan& lan : spec_.lans) {
      for (const Prefix& network : lan.networks) {
        // A network that is at fault itself would only repeat its fault here.
        if (network.Contains(*address) && AddressFault(network).empty()) {
          return Report(field, address->ToString() + " is in " +
                                   network.ToString() + ", a network of LAN " +
                                   Quote(lan.interface));
        }
      }
    }
  }

  void CheckDuplicateAddress(const std::string& field, Family family,
                             std::size_t index) {
    const std::optional<Address>& address =
        AddressOf(spec_.uplinks[index], family);
    if (!address) return;
    for (std::size_t i = 0; i < index; ++i) {
      if (AddressOf(spec_.uplinks[i], family) == address) {
        return Report(field, address->ToString() +
                                 " is the address of uplink " +
                                 Quote(spec_.uplinks[i].name) + " already");
      }
    }
  }

  void CheckGatewayIsForeign(const std::string& field, Family family,
                             const std::optional<Address>& gateway) {
    if (!gateway) return;
    for (const Uplink& uplink : spec_.uplinks) {
      if (AddressOf(uplink, family) == gateway) {
        return Report(field, gateway->ToString() +
                                 " is this router's own address on uplink " +
                                 Quote(uplink.name) + ", not the provider's");
      }
    }
  }

  void CheckId(const std::string& field, std::size_t index) {
    const UplinkId id = spec_.uplinks[index].id;
    if (id == 0) return;
    const UplinkId max = MaxUplinkId(spec_.mark_mask);
    if (id > max && IsContiguousMask(spec_.mark_mask)) {
      Report(field, std::to_string(id) + " does not fit: with mask " +
                        Hex(spec_.mark_mask) + " the highest id is " +
                        std::to_string(max));
    }
    for (std::size_t i = 0; i < index; ++i) {
      if (spec_.uplinks[i].id == id) {
        return Report(field, std::to_string(id) + " is the id of uplink " +
                                 Quote(spec_.uplinks[i].name) + " already");
      }
    }
  }

  // ---- capacities and weights ----

  bool AnyWeight() const {
    return std::any_of(spec_.uplinks.begin(), spec_.uplinks.end(),
                       [](const Uplink& u) { return u.weight.has_value(); });
  }

  void CheckCapacity(const std::string& path, const Uplink& uplink) {
    bool supported = true;
    for (const Direction& direction : kDirections) {
      const std::uint64_t bits = uplink.capacity.*direction.bits_per_second;
      const std::string field = path + "." + std::string(direction.name);
      if (bits == 0) {
        ReportUnlessEmpty(
            field,
            WhyCapacityIsNeeded(spec_, uplink.name, direction.bits_per_second));
      } else if (bits < kMinCapacity) {
        Report(field, std::to_string(bits) +
                          " bit/s is less than any line; write a unit: kbit, "
                          "mbit or gbit");
      } else if (bits > kMaxCapacity) {
        Report(field, "is more than 100000 Gbit/s, the most that is supported");
        supported = false;
      }
    }
    if (!supported) return;
    Add(CheckMeasurable(spec_, uplink.name, uplink.capacity, path));
  }

  void CheckWeight(const std::string& field, const Uplink& uplink) {
    if (!uplink.weight) {
      if (AnyWeight()) {
        Report(field,
               "is needed since other uplinks have one; a weight and a "
               "capacity cannot be compared");
      }
      return;
    }
    if (*uplink.weight == 0) {
      Report(field,
             "0 would never be chosen; use 1 to 65535, or remove the uplink");
    } else if (*uplink.weight > kMaxWeight) {
      Report(field,
             std::to_string(*uplink.weight) + " is too large; use 1 to 65535");
    }
  }

  // ---- marks, tables ----

  void CheckMask() {
    const std::uint32_t mask = spec_.mark_mask;
    const std::string field = "spec.marks.mask";
    if (mask == 0) {
      return Report(field, "0x0 leaves no bits for the marks; use 0xff");
    }
    if (!IsContiguousMask(mask)) {
      return Report(field, Hex(mask) +
                               " has gaps; its bits must be one run, "
                               "such as 0xff or 0xff00");
    }
    const std::size_t needed = spec_.uplinks.size();
    if (needed > MaxUplinkId(mask) && needed <= kMaxUplinks) {
      // Besides the ids zero and three reserved values.
      const int bits = static_cast<int>(std::bit_width(needed + 3));
      Report(field, Hex(mask) + " has room for " +
                        std::to_string(MaxUplinkId(mask)) + " uplinks, not " +
                        std::to_string(needed) + "; use " +
                        std::to_string(bits) + " bits or more, such as " +
                        Hex((1U << bits) - 1));
    }
  }

  // The table numbers that this spec is sure to use: the base, those of the
  // ids given, and as many from the base on as there are uplinks without id.
  void CheckTableBase() {
    const std::string field = "spec.tables.base";
    const std::uint64_t base = spec_.table_base;
    if (!IsUsableTable(spec_.table_base)) {
      return Report(field, std::to_string(base) +
                               " is not a table for us; use 1 to 2147483647, "
                               "but not 253, 254 or 255");
    }
    std::set<std::uint64_t> ids;
    for (const Uplink& uplink : spec_.uplinks) {
      if (uplink.id != 0) ids.insert(uplink.id);
    }
    const bool automatic = ids.size() < spec_.uplinks.size();
    for (std::uint64_t id = 1; automatic && id <= spec_.uplinks.size(); ++id) {
      ids.insert(id);
    }
    for (const std::uint64_t id : ids) {
      const std::uint64_t table = base + id;
      if (table > kMaxTable ||
          !IsUsableTable(static_cast<std::uint32_t>(table))) {
        return Report(field, std::to_string(base) + " gives id " +
                                 std::to_string(id) + " the table " +
                                 std::to_string(table) +
                                 ", which is not for us; choose another base");
      }
    }
  }

  const Spec& spec_;
  std::vector<Violation> found_;
};

}  // namespace

std::vector<Violation> Validate(const Spec& spec) {
  return Validator(spec).Run();
}

}  // namespace uplinkd
