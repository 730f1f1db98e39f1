// SpecHistory: the specs that were accepted lately, also over a restart.
//
// One JSON file, history.json in the state directory. It tells and gives back;
// what is followed, and whether it waits to be confirmed, is SpecLedger's word
// alone. So it is written after that, and Note() makes good what a crash in
// between left out. For one thread.
#ifndef UPLINKD_AGENT_SPEC_HISTORY_H_
#define UPLINKD_AGENT_SPEC_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "agent/save_fault.h"
#include "agent/spec_store.h"
#include "reconciler/result.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

class SpecHistory {
 public:
  static constexpr std::size_t kMost = 50;  // as Junos keeps

  explicit SpecHistory(const std::string& state_dir);

  // Takes up the history of the last runs. kFailedPrecondition: the file makes
  // no sense; it is kept as history.json.corrupt, and the history is empty.
  Result<void> Restore();

  // What Restore() does with what the file says.
  void TakeUp(v1::History stored) { history_ = std::move(stored); }

  // `current` is followed: adds it if it is new, and says of the one that
  // waited what became of it. On disk when it returns; on failure it is so for
  // this run, and unsaved() until it can be saved.
  Result<void> Note(const StoredSpec& current);

  // Saves what could not be saved so far, if anything.
  Result<void> SaveAgain();
  const SaveFault& unsaved() const { return unsaved_; }

  // The spec of `generation`, or for 0: the newest that somebody stood by
  // (neither rolled back nor waiting) and whose content is not that of
  // `current` (null: none), with its generation. kNotFound:
  // there is none, with the generations that there are. kFailedPrecondition:
  // this version cannot follow it any more.
  struct Recalled {
    std::uint64_t generation = 0;
    Spec spec;                   // ids assigned
    std::uint64_t followed = 0;  // the generation of `current`; 0: none
  };
  Result<Recalled> Recall(std::uint64_t generation,
                          const StoredSpec* current) const;

  // As the message says.
  Result<v1::HistoryResponse> Find(const v1::HistoryRequest& request) const;

  std::uint64_t last_generation() const;  // 0: none
  bool last_waits() const;                // to be confirmed, for all we know

 private:
  std::string WhatThereIs() const;
  Result<void> Save();

  std::string directory_;
  std::string path_;
  v1::History history_;  // by generation, ascending
  SaveFault unsaved_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_HISTORY_H_
