// Files: whole small files, read and replaced atomically.
//
// Shared by all that the agent keeps on disk. A reader of a replaced file
// sees the old content or the new one, never a part, also after a power cut.
#ifndef UPLINKD_AGENT_FILES_H_
#define UPLINKD_AGENT_FILES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "reconciler/result.h"

namespace uplinkd {

// Creates the directory and its parents. It is no error that it is there.
Result<void> MakeDirectory(const std::string& path);

// Far more than anything that the agent keeps or is given.
inline constexpr std::size_t kMaxFileSize = std::size_t{64} << 20U;

// kNotFound: there is no such file. kResourceExhausted: another time it can be
// read. Anything else is the matter with the file: it is too large, or a pipe.
Result<std::string> ReadFile(const std::string& path);

// Writes a temporary file beside `path`, syncs it, renames it over `path` and
// syncs the directory. On failure the temporary one is gone, and the old file
// is as it was; but if it is the sync of the directory that failed, the new one
// has taken its place, for how long nobody knows.
enum class FileReaders {
  kOwnerAndGroup,  // specs name networks and people
  kAll,
};
Result<void> ReplaceFile(const std::string& path, std::string_view content,
                         FileReaders readers = FileReaders::kOwnerAndGroup);

// Renames and syncs the directory.
Result<void> MoveFile(const std::string& from, const std::string& to);

// Whether a file in `directory` could be removed, which needs no space: not on
// a disk that is read-only. It is no error that there is no such directory.
Result<void> MayRemoveIn(const std::string& directory);

// Renames what is at `path`, whether it is a file or not, to PATH.corrupt, in
// the place of an earlier one: to be looked at by somebody who knows better.
Result<void> SetAside(const std::string& path);

// Removes and syncs the directory. It is no error that there is no such file.
Result<void> RemoveFile(const std::string& path);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_FILES_H_
