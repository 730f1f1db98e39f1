#include "agent/message_file.h"

#include <google/protobuf/util/json_util.h>

#include <optional>

#include "agent/files.h"
#include "agent/seal.h"
#include "proto/text_check.h"

namespace uplinkd {
namespace {

tl::unexpected<Error> Unusable(const std::string& path,
                               const std::string& consequence,
                               const std::string& why) {
  const Result<void> aside = SetAside(path);
  return Fail(ErrorCode::kFailedPrecondition,
              path + " cannot be used, " + consequence + " (" +
                  (aside ? "it is kept as " + path + ".corrupt"
                         : aside.error().message) +
                  "): " + why);
}

}  // namespace

Result<void> ReadMessageFile(const std::string& path,
                             const std::string& consequence,
                             google::protobuf::Message& message) {
  const Result<std::string> text = ReadFile(path);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return {};
    if (text.error().code == ErrorCode::kResourceExhausted) {
      return tl::unexpected(text.error());
    }
    return Unusable(path, consequence, text.error().message);
  }
  const Result<void> read = ReadMessageText(*text, message);
  return read ? read : Unusable(path, consequence, read.error().message);
}

Result<void> ReadMessageText(const std::string& text,
                             google::protobuf::Message& message) {
  const std::optional<std::string> object = Unsealed(text);
  if (!object) {
    return Fail(ErrorCode::kFailedPrecondition,
                std::string("its content is not what its ") + kSealKey +
                    " says, so it was damaged or changed by hand");
  }
  const auto read =
      google::protobuf::util::JsonStringToMessage(*object, &message);
  if (read.ok()) return {};
  message.Clear();
  return Fail(ErrorCode::kFailedPrecondition, VisibleText(read.ToString()));
}

Result<void> ReplaceMessageFile(const std::string& directory,
                                const std::string& path,
                                const google::protobuf::Message& message,
                                FileLayout layout) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = layout == FileLayout::kIndented;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options)
           .ok()) {
    return Fail(ErrorCode::kInternal, path + " cannot be written as JSON");
  }
  if (Result<void> made = MakeDirectory(directory); !made) return made;
  return ReplaceFile(path, message.ByteSizeLong() == 0 ? text : Sealed(text));
}

}  // namespace uplinkd
