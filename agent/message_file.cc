#include "agent/message_file.h"

#include <google/protobuf/util/json_util.h>

#include "agent/files.h"

namespace uplinkd {

Result<void> ReadMessageFile(const std::string& path,
                             const std::string& consequence,
                             google::protobuf::Message& message) {
  const Result<std::string> text = ReadFile(path);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return {};
    return tl::unexpected(text.error());
  }
  return ReadMessageText(*text, path, consequence, message);
}

Result<void> ReadMessageText(const std::string& text, const std::string& path,
                             const std::string& consequence,
                             google::protobuf::Message& message) {
  const auto read = google::protobuf::util::JsonStringToMessage(text, &message);
  if (read.ok()) return {};
  return Fail(
      ErrorCode::kFailedPrecondition,
      path + " cannot be used, " + consequence + ": " + read.ToString());
}

Result<void> ReplaceMessageFile(const std::string& directory,
                                const std::string& path,
                                const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions pretty;
  pretty.add_whitespace = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, pretty)
           .ok()) {
    return Fail(ErrorCode::kInternal, path + " cannot be written as JSON");
  }
  if (Result<void> made = MakeDirectory(directory); !made) return made;
  return ReplaceFile(path, text);
}

}  // namespace uplinkd
