#include "reconciler/spec.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// The mask's all-ones value, and one for each last resort with a mark.
constexpr UplinkId kReservedMarks = 3;

// The ids that are free to give away, the preferred ones first.
class FreeIds {
 public:
  FreeIds(const Spec& spec, const std::map<std::string, UplinkId>& remembered)
      : spec_(spec), max_(MaxUplinkId(spec.mark_mask)) {
    for (const Uplink& uplink : spec.uplinks) used_.insert(uplink.id);
    for (const auto& [name, id] : remembered) reserved_.insert(id);
  }

  // Whether `id` was free; it is not any more.
  bool Take(UplinkId id) { return Usable(id) && used_.insert(id).second; }

  // An id that nobody uses and, if there still is one, nobody had. 0 if all
  // are used, which a valid spec rules out.
  UplinkId TakeNext() {
    for (UplinkId id = 1; id <= max_; ++id) {
      if (!reserved_.contains(id) && Take(id)) return id;
    }
    for (UplinkId id = 1; id <= max_; ++id) {
      if (Take(id)) return id;
    }
    return 0;
  }

 private:
  bool Usable(UplinkId id) const {
    return id >= 1 && id <= max_ && IsUsableTable(TableOf(spec_, id));
  }

  const Spec& spec_;
  UplinkId max_;
  std::set<UplinkId> used_;
  std::set<UplinkId> reserved_;
};

std::uint64_t ToWeight(std::uint64_t bits_per_second) {
  if (bits_per_second == 0) return 1;
  return std::max<std::uint64_t>(1, bits_per_second / 1000);
}

}  // namespace

bool CarriesFamily(const Uplink& uplink, Family family) {
  const UplinkFamilies other =
      family == Family::kIpv4 ? UplinkFamilies::kIpv6 : UplinkFamilies::kIpv4;
  return uplink.families != other;
}

std::vector<Family> FamiliesOf(const Spec& spec) {
  std::vector<Family> families;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool carried = std::ranges::any_of(
        spec.uplinks,
        [family](const Uplink& u) { return CarriesFamily(u, family); });
    if (carried) families.push_back(family);
  }
  if (families.empty()) families.push_back(Family::kIpv4);
  return families;
}

bool HasIpv6(const Spec& spec) {
  return FamiliesOf(spec).back() == Family::kIpv6;
}

const std::optional<Address>& AddressOf(const Uplink& uplink, Family family) {
  return family == Family::kIpv4 ? uplink.address : uplink.address6;
}

const std::optional<Address>& GatewayOf(const Uplink& uplink, Family family) {
  return family == Family::kIpv4 ? uplink.gateway : uplink.gateway6;
}

Nat TranslationOf(const Uplink& uplink, Family family) {
  return family == Family::kIpv4 ? uplink.nat : uplink.nat6;
}

bool IsContiguousMask(std::uint32_t mask) {
  if (mask == 0) return false;
  const std::uint64_t low = mask >> std::countr_zero(mask);
  return (low & (low + 1)) == 0;
}

UplinkId MaxUplinkId(std::uint32_t mark_mask) {
  if (!IsContiguousMask(mark_mask)) return 0;
  const UplinkId all_ones = mark_mask >> std::countr_zero(mark_mask);
  if (all_ones < kReservedMarks) return 0;
  // The ip rules of the marks must not run into those of the addresses.
  constexpr UplinkId kBand = kSourcePriority - kMarkPriority - 1;
  return std::min(all_ones - kReservedMarks, kBand);
}

Mark MarkOf(const Spec& spec, UplinkId id) {
  const int shift = spec.mark_mask == 0 ? 0 : std::countr_zero(spec.mark_mask);
  return {.value = id << shift, .mask = spec.mark_mask};
}

std::optional<Mark> MarkOf(std::uint32_t mark_mask, LastResort last_resort) {
  if (last_resort == LastResort::kMain || mark_mask == 0) return std::nullopt;
  const std::uint32_t below = last_resort == LastResort::kUnreachable ? 1 : 2;
  const std::uint32_t lowest_bit = mark_mask & ~(mark_mask - 1);
  return Mark{.value = mark_mask - below * lowest_bit, .mask = mark_mask};
}

Mark BypassMark(std::uint32_t mark_mask) {
  return {.value = mark_mask, .mask = mark_mask};
}

std::uint32_t TableOf(const Spec& spec, UplinkId id) {
  return spec.table_base + id;
}

bool IsUsableTable(std::uint32_t table) {
  return table != 0 && !(table >= 253 && table <= 255) && table <= kMaxTable;
}

std::uint64_t CapacityIn(const Capacity& capacity, Measure measure) {
  switch (measure) {
    case Measure::kDownload: return capacity.download;
    case Measure::kUpload: return capacity.upload;
    case Measure::kBoth: break;
  }
  if (capacity.download == 0 || capacity.upload == 0) return 0;
  return capacity.download + capacity.upload;
}

std::uint64_t WeightOf(const Uplink& uplink, Measure measure) {
  if (uplink.weight) return *uplink.weight;
  return ToWeight(CapacityIn(uplink.capacity, measure));
}

Policy DefaultBalance() {
  Policy balance;
  balance.name = kBalance;
  balance.last_resort = LastResort::kMain;
  return balance;
}

bool Measures(Algorithm algorithm) {
  return algorithm == Algorithm::kLeastLoaded ||
         algorithm == Algorithm::kOverflow;
}

std::vector<const Policy*> AllPolicies(const Spec& spec) {
  std::vector<const Policy*> all = {&spec.balance};
  for (const Policy& policy : spec.policies) all.push_back(&policy);
  return all;
}

std::vector<Tier> TiersOf(const Spec& spec, const Policy& policy) {
  if (!policy.tiers.empty()) return policy.tiers;
  Tier all;
  for (const Uplink& uplink : spec.uplinks) {
    all.push_back({uplink.name, std::nullopt});
  }
  return {std::move(all)};
}

Spec AssignIds(Spec spec, const std::map<std::string, UplinkId>& remembered) {
  std::vector<Uplink*> without_id;
  for (Uplink& uplink : spec.uplinks) {
    if (uplink.id == 0) without_id.push_back(&uplink);
  }
  // By name, so that the order in the file decides nothing.
  std::sort(without_id.begin(), without_id.end(),
            [](const Uplink* a, const Uplink* b) { return a->name < b->name; });
  FreeIds free_ids(spec, remembered);
  for (Uplink* uplink : without_id) {
    const auto known = remembered.find(uplink->name);
    if (known != remembered.end() && free_ids.Take(known->second)) {
      uplink->id = known->second;
    }
  }
  for (Uplink* uplink : without_id) {
    if (uplink->id == 0) uplink->id = free_ids.TakeNext();
  }
  return spec;
}

}  // namespace uplinkd
