#include "agent/uplink_history.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

using std::chrono::seconds;
using HistoryTime = UplinkHistory::Time;

UplinkState In(const std::string& name, UplinkPhase phase) {
  UplinkState state;
  state.name = name;
  state.phase = phase;
  return state;
}

TEST(UplinkHistory, APhaseBeginsWhenItChanges) {
  UplinkHistory history;
  history.Note({In("wan1", UplinkPhase::kReady)}, HistoryTime(seconds(10)));
  history.Note({In("wan1", UplinkPhase::kReady)}, HistoryTime(seconds(20)));
  EXPECT_EQ(history.all().at("wan1").since, HistoryTime(seconds(10)));
  history.Note({In("wan1", UplinkPhase::kDown)}, HistoryTime(seconds(30)));
  EXPECT_EQ(history.all().at("wan1").since, HistoryTime(seconds(30)));
}

TEST(UplinkHistory, CountsHowOftenADrainBegan) {
  UplinkHistory history;
  int second = 0;
  for (const UplinkPhase phase :
       {UplinkPhase::kReady, UplinkPhase::kDraining, UplinkPhase::kDraining,
        UplinkPhase::kReady, UplinkPhase::kDraining}) {
    history.Note({In("wan1", phase)}, HistoryTime(seconds(++second)));
  }
  EXPECT_EQ(history.all().at("wan1").drains, 2U);
}

TEST(UplinkHistory, ForgetsUplinksThatAreGone) {
  UplinkHistory history;
  history.Note(
      {In("wan1", UplinkPhase::kReady), In("wan2", UplinkPhase::kDraining)},
      HistoryTime(seconds(1)));
  history.Note({In("wan1", UplinkPhase::kReady)}, HistoryTime(seconds(2)));
  EXPECT_EQ(history.all().size(), 1U);
  history.Note(
      {In("wan1", UplinkPhase::kReady), In("wan2", UplinkPhase::kReady)},
      HistoryTime(seconds(3)));
  EXPECT_EQ(history.all().at("wan2").drains, 0U);
  EXPECT_EQ(history.all().at("wan2").since, HistoryTime(seconds(3)));
  EXPECT_EQ(history.all().at("wan1").since, HistoryTime(seconds(1)));
}

}  // namespace
}  // namespace uplinkd
