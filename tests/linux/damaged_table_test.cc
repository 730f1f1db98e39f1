// Tables that are not as the kernel makes them: nothing is read that is not
// there.
#include <gtest/gtest.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "reconciler/linux/xt_codec_blob.h"
#include "reconciler/linux/xt_codec_target.h"

namespace uplinkd {
namespace {

// One entry without matches, whose target has that name and that much room.
std::vector<std::byte> OneEntry(const std::string& name,
                                std::size_t target_size) {
  std::vector<std::byte> bytes(sizeof(ipt_entry) + target_size);
  auto* entry = reinterpret_cast<ipt_entry*>(bytes.data());
  entry->target_offset = sizeof(ipt_entry);
  entry->next_offset = static_cast<std::uint16_t>(bytes.size());
  auto* target = reinterpret_cast<xt_entry_target*>(entry->elems);
  target->u.target_size = static_cast<std::uint16_t>(target_size);
  name.copy(target->u.user.name, sizeof target->u.user.name);
  return bytes;
}

bool IsSound(std::vector<std::byte> bytes) {
  return ClearNameTails(Family::kIpv4, bytes).has_value();
}

TEST(DamagedTable, AVerdictNeedsItsRoom) {
  EXPECT_TRUE(IsSound(OneEntry("", sizeof(xt_standard_target))));
  EXPECT_FALSE(IsSound(OneEntry("", sizeof(xt_entry_target))));
}

TEST(DamagedTable, TheNameOfAChainNeedsItsRoom) {
  EXPECT_TRUE(IsSound(OneEntry(XT_ERROR_TARGET, sizeof(xt_error_target))));
  EXPECT_FALSE(IsSound(OneEntry(XT_ERROR_TARGET, sizeof(xt_entry_target))));
  EXPECT_FALSE(IsSound(OneEntry(XT_ERROR_TARGET, sizeof(xt_entry_target) + 8)));
}

TEST(DamagedTable, ANameHasAnEnd) {
  EXPECT_TRUE(IsSound(OneEntry(std::string(28, 'x'), 64)));
  EXPECT_FALSE(IsSound(OneEntry(std::string(29, 'x'), 64)));
}

// Its words would be times of 2^255 seconds.
TEST(DamagedTable, AnEstimatorHasTheTimesThatTheKernelTakes) {
  const auto decoded = [](std::int8_t interval, std::uint8_t ewma) {
    const auto target =
        EncodeTarget(Family::kIpv4, EstimateTarget{"u1", interval, ewma});
    return DecodeExtensionTarget(
        Family::kIpv4, {target->name, target->revision, target->data});
  };
  EXPECT_EQ(decoded(-2, 1), Target(EstimateTarget{"u1", -2, 1}));
  EXPECT_EQ(decoded(3, 30), Target(EstimateTarget{"u1", 3, 30}));
  for (const auto& [interval, ewma] :
       {std::pair(-3, 1), {4, 1}, {-2, 0}, {-2, 31}, {-128, 255}}) {
    EXPECT_TRUE(std::holds_alternative<OpaqueTarget>(decoded(
        static_cast<std::int8_t>(interval), static_cast<std::uint8_t>(ewma))))
        << interval << " " << ewma;
  }
}

}  // namespace
}  // namespace uplinkd
