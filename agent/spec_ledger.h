// SpecLedger: which spec is accepted, its generation, and the uplinks' ids.
//
// Accepting is the moment when a spec becomes the one that the agent follows:
// it is on disk before it counts. The same spec again keeps its generation.
// For one thread.
#ifndef UPLINKD_AGENT_SPEC_LEDGER_H_
#define UPLINKD_AGENT_SPEC_LEDGER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "agent/spec_store.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

class SpecLedger {
 public:
  struct Accepted {
    std::uint64_t generation = 0;
    bool unchanged = false;  // it was the accepted one already
  };
  enum class Durability {
    kRequired,  // refuse what cannot be saved
    kWanted,    // the spec has another home: follow it, and tell
  };

  explicit SpecLedger(SpecStore store);

  // Takes up the spec of the last run, if there is one. On failure there is
  // none, and why_none() says why.
  Result<void> Restore();

  // `spec` with ids assigned as Accept() would; changes nothing.
  Spec Prepare(Spec spec) const;

  // Accepts a valid spec. Fails with kAborted if `expected_generation` is
  // neither 0 nor the present one, and with the words of the file system if
  // the spec cannot be saved; then nothing changed.
  Result<Accepted> Accept(Spec spec, std::uint64_t expected_generation,
                          Durability durability);

  // Forgets the spec and the ids, on disk too.
  Result<void> Forget();

  // Null if there is none.
  const StoredSpec* current() const { return current_ ? &*current_ : nullptr; }
  std::uint64_t generation() const {
    return current_ ? current_->generation : 0;
  }
  const std::string& why_none() const { return why_none_; }

 private:
  SpecStore store_;
  std::optional<StoredSpec> current_;
  std::string why_none_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_LEDGER_H_
