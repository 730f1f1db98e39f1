// SpecStore: the accepted spec on disk, so that it survives a restart.
//
// One JSON file, spec.json in the state directory: the spec with every default
// filled in, its generation, and the ids that were ever given to uplink names.
// Ownership of kernel objects never depends on this file. A file that cannot
// be understood is not guessed at: the agent starts without a spec, and the
// file stays for inspection, as spec.json.corrupt once there is a new one.
#ifndef UPLINKD_AGENT_SPEC_STORE_H_
#define UPLINKD_AGENT_SPEC_STORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

struct StoredSpec {
  std::uint64_t generation = 0;
  Spec spec;  // valid, ids assigned
  // Uplink name -> id, also of uplinks that are gone; see AssignIds().
  std::map<std::string, UplinkId> ids;

  friend bool operator==(const StoredSpec&, const StoredSpec&) = default;
};

// The ids to remember once `spec` is accepted: what was remembered, overruled
// by the ids that the spec has.
std::map<std::string, UplinkId> RememberIds(
    std::map<std::string, UplinkId> remembered, const Spec& spec);

// For one thread. Another process must not write the same directory.
class SpecStore {
 public:
  explicit SpecStore(const std::string& state_dir);

  // Nothing if none was saved. kFailedPrecondition: the file is there and
  // makes no sense, with what is wrong with it.
  Result<std::optional<StoredSpec>> Load() const;

  // On disk when it returns; on failure the last saved one still is.
  Result<void> Save(const StoredSpec& stored);

  // It is no error that nothing is stored.
  Result<void> Forget();

  const std::string& path() const { return path_; }

 private:
  Result<void> SetCorruptAside();

  std::string directory_;
  std::string path_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_STORE_H_
