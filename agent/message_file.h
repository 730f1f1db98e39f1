// Message files: what the agent remembers of one thing, as a message in JSON in
// a file of the state directory.
#ifndef UPLINKD_AGENT_MESSAGE_FILE_H_
#define UPLINKD_AGENT_MESSAGE_FILE_H_

#include <google/protobuf/message.h>

#include <string>

#include "reconciler/result.h"

namespace uplinkd {

// Reads `message`, which stays empty if there is no such file.
// kFailedPrecondition: it cannot be read or makes no sense, and was set aside,
// so that another one can take its place; the words say so, and `consequence`
// ("so nothing is paused") is part of them.
Result<void> ReadMessageFile(const std::string& path,
                             const std::string& consequence,
                             google::protobuf::Message& message);

// The text of such a file. kFailedPrecondition: what is wrong with it; the
// message is empty then.
Result<void> ReadMessageText(const std::string& text,
                             google::protobuf::Message& message);

enum class FileLayout {
  kIndented,  // for people
  kCompact,   // for files that grow
};

// Makes the directory, and replaces the file as ReplaceFile() does.
Result<void> ReplaceMessageFile(const std::string& directory,
                                const std::string& path,
                                const google::protobuf::Message& message,
                                FileLayout layout = FileLayout::kIndented);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_MESSAGE_FILE_H_
