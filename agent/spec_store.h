// SpecStore: the accepted spec on disk, so that it survives a restart.
//
// One JSON file, spec.json in the state directory: the spec with every default
// filled in, its generation, the ids that were ever given to uplink names, and
// whether the spec waits to be confirmed. That is in the same file, so that no
// crash can come between the two.
// Ownership of kernel objects never depends on this file. A file that cannot
// be understood is not guessed at, nor is one whose checksum is wrong: the
// agent starts without a spec, and the file stays for inspection, as
// spec.json.corrupt once there is a new one.
#ifndef UPLINKD_AGENT_SPEC_STORE_H_
#define UPLINKD_AGENT_SPEC_STORE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "agent/confirm.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

// How a spec came to be followed.
struct SpecOrigin {
  std::chrono::system_clock::time_point time;
  std::string from;          // see Offer
  std::string note;          // "back to generation 5"; mostly ""
  bool unconfirmed = false;  // it returned: nobody confirmed the one before

  friend bool operator==(const SpecOrigin&, const SpecOrigin&) = default;
};

struct StoredSpec {
  std::uint64_t generation = 0;
  Spec spec;  // valid, ids assigned
  // Uplink name -> id, also of uplinks that are gone; see AssignIds().
  std::map<std::string, UplinkId> ids;
  SpecOrigin origin = {};
  std::optional<PendingConfirm> pending = std::nullopt;
  // What was rolled back: no file brings it back until it has had another one.
  std::optional<Spec> held = std::nullopt;
  // What the file of --spec had when it was last taken up. As long as it has
  // that, it asks for nothing.
  std::optional<Spec> from_file = std::nullopt;

  friend bool operator==(const StoredSpec&, const StoredSpec&) = default;
};

// The text of spec.json; nothing if protobuf refuses to print it.
std::optional<std::string> EncodeStoredSpec(const StoredSpec& stored);
// Or what is wrong with the text: "its router: spec.uplinks[0].name: ...".
tl::expected<StoredSpec, std::string> DecodeStoredSpec(const std::string& text);

// The ids to remember once `spec` is accepted: what was remembered, overruled
// by the ids that the spec has.
std::map<std::string, UplinkId> RememberIds(
    std::map<std::string, UplinkId> remembered, const Spec& spec);

// For one thread. Another process must not write the same directory.
class SpecStore {
 public:
  explicit SpecStore(const std::string& state_dir);

  // Nothing if none was saved. kFailedPrecondition: something is there that
  // cannot be read or makes no sense, with what is wrong with it.
  Result<std::optional<StoredSpec>> Load() const;

  // On disk when it returns; on failure the last saved one still is.
  Result<void> Save(const StoredSpec& stored);

  // It is no error that nothing is stored.
  Result<void> Forget();
  // Whether that would succeed, as far as one can say beforehand.
  Result<void> MayForget() const;

  const std::string& path() const { return path_; }

 private:
  Result<void> SetCorruptAside();

  std::string directory_;
  std::string path_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_STORE_H_
