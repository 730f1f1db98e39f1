// Message files: what the agent remembers of one thing, as a message in JSON in
// a file of the state directory.
#ifndef UPLINKD_AGENT_MESSAGE_FILE_H_
#define UPLINKD_AGENT_MESSAGE_FILE_H_

#include <google/protobuf/message.h>

#include <string>

#include "reconciler/result.h"

namespace uplinkd {

// Reads `message`, which stays empty if there is no such file.
// kFailedPrecondition: the file makes no sense; `consequence` ("so nothing is
// paused") is part of the words.
Result<void> ReadMessageFile(const std::string& path,
                             const std::string& consequence,
                             google::protobuf::Message& message);

// The same from the text of the file; `path` is only for the words.
Result<void> ReadMessageText(const std::string& text, const std::string& path,
                             const std::string& consequence,
                             google::protobuf::Message& message);

// Makes the directory, and replaces the file as ReplaceFile() does.
Result<void> ReplaceMessageFile(const std::string& directory,
                                const std::string& path,
                                const google::protobuf::Message& message);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_MESSAGE_FILE_H_
