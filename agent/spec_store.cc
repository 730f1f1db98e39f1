#include "agent/spec_store.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "agent/confirm_wire.h"
#include "agent/files.h"
#include "agent/seal.h"
#include "agent/wire.h"
#include "proto/convert.h"
#include "proto/text_check.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;

// Version of the file's layout, not of the agent.
constexpr double kFormat = 1;
constexpr const char* kVersionKey = "version";  // of the agent

tl::unexpected<Error> Corrupt(const std::string& path, const std::string& why) {
  return Fail(ErrorCode::kFailedPrecondition,
              path + " cannot be used: " + why +
                  "; apply a spec to replace it (the file will be kept as " +
                  path + ".corrupt)");
}

tl::unexpected<std::string> Wrong(std::string why) {
  return tl::unexpected<std::string>(std::move(why));
}

// JSON numbers are doubles: exact for what we count.
std::optional<std::uint64_t> WholeNumber(const Struct& object,
                                         const std::string& key) {
  const auto field = object.fields().find(key);
  if (field == object.fields().end() ||
      field->second.kind_case() != Value::kNumberValue) {
    return std::nullopt;
  }
  const double number = field->second.number_value();
  if (number < 0 || number > 9007199254740992.0 ||
      std::floor(number) != number) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(number);
}

const Struct* Object(const Struct& object, const std::string& key) {
  const auto field = object.fields().find(key);
  if (field == object.fields().end() ||
      field->second.kind_case() != Value::kStructValue) {
    return nullptr;
  }
  return &field->second.struct_value();
}

// `message` as the value of `key`; false if protobuf refuses to print.
bool Put(const google::protobuf::Message& message, const char* key,
         Struct& root) {
  std::string text;
  Value& value = (*root.mutable_fields())[key];
  return MessageToJsonString(message, &text).ok() &&
         JsonStringToMessage(text, value.mutable_struct_value()).ok();
}

// The message at `key`, if there is one: nothing wrong, or what is.
template <typename Message>
tl::expected<std::optional<Message>, std::string> Take(const Struct& root,
                                                       const char* key) {
  const Struct* object = Object(root, key);
  if (object == nullptr) return std::nullopt;
  std::string text;
  Message message;
  if (!MessageToJsonString(*object, &text).ok()) {
    return Wrong(std::string("its ") + key + " is no object");
  }
  if (const auto status = JsonStringToMessage(text, &message); !status.ok()) {
    return Wrong(std::string("its ") + key + ": " +
                 VisibleText(status.ToString()));
  }
  return message;
}

v1::SpecOrigin OriginToProto(const SpecOrigin& origin) {
  v1::SpecOrigin message;
  *message.mutable_time() = ToProto(origin.time);
  message.set_from(origin.from);
  message.set_note(origin.note);
  message.set_unconfirmed(origin.unconfirmed);
  return message;
}

tl::expected<Spec, std::string> DecodeRouter(const v1::Router& router,
                                             const char* key) {
  Converted converted = SpecFromProto(router);
  if (!converted.violations.empty()) {
    const Violation& first = converted.violations.front();
    return Wrong(std::string("its ") + key + ": " + first.field + ": " +
                 first.message);
  }
  return std::move(converted.spec);
}

// What a file of an older version lacks is as if it never happened.
tl::expected<void, std::string> DecodeConfirm(const Struct& root,
                                              StoredSpec& stored) {
  const auto origin = Take<v1::SpecOrigin>(root, "origin");
  if (!origin) return tl::unexpected(origin.error());
  if (*origin) {
    stored.origin = {FromProto((*origin)->time()), (*origin)->from(),
                     (*origin)->note(), (*origin)->unconfirmed()};
  }
  const auto confirm = Take<v1::StoredConfirm>(root, "confirm");
  if (!confirm) return tl::unexpected(confirm.error());
  if (*confirm) {
    tl::expected<PendingConfirm, std::string> pending = FromProto(**confirm);
    if (!pending) return Wrong("its confirm: " + pending.error());
    stored.pending = std::move(*pending);
  }
  const std::pair<const char*, std::optional<Spec>*> others[] = {
      {"held", &stored.held}, {"fromFile", &stored.from_file}};
  for (const auto& [key, place] : others) {
    const auto router = Take<v1::Router>(root, key);
    if (!router) return tl::unexpected(router.error());
    if (!*router) continue;
    tl::expected<Spec, std::string> spec = DecodeRouter(**router, key);
    if (!spec) return tl::unexpected(spec.error());
    *place = std::move(*spec);
  }
  return {};
}

tl::expected<StoredSpec, std::string> DecodeObject(const Struct& root) {
  if (WholeNumber(root, "format") != kFormat) {
    return Wrong("its format is not the one of this version");
  }
  StoredSpec stored;
  const auto generation = WholeNumber(root, "generation");
  if (!generation || *generation == 0) {
    return Wrong("it has no generation");
  }
  stored.generation = *generation;
  const Struct* ids = Object(root, "ids");
  const auto router = Take<v1::Router>(root, "router");
  if (!router) return tl::unexpected(router.error());
  if (ids == nullptr || !*router) {
    return Wrong("its ids or its router are missing");
  }
  for (const auto& [name, value] : ids->fields()) {
    const auto id = WholeNumber(*ids, name);
    if (!id || *id == 0 || *id > UINT32_MAX) {
      return Wrong("the id of " + name + " is not a number");
    }
    stored.ids[name] = static_cast<UplinkId>(*id);
  }
  tl::expected<Spec, std::string> spec = DecodeRouter(**router, "router");
  if (!spec) return tl::unexpected(spec.error());
  stored.spec = AssignIds(std::move(*spec), stored.ids);
  if (const auto rest = DecodeConfirm(root, stored); !rest) {
    return tl::unexpected(rest.error());
  }
  return stored;
}

// The version that wrote the file; "" of those that did not say.
std::string WriterOf(const Struct& root) {
  const auto field = root.fields().find(kVersionKey);
  return field == root.fields().end() ? "" : field->second.string_value();
}

}  // namespace

std::optional<std::string> EncodeStoredSpec(const StoredSpec& stored) {
  Struct root;
  auto& fields = *root.mutable_fields();
  if (!Put(SpecToProto(stored.spec), "router", root) ||
      !Put(OriginToProto(stored.origin), "origin", root) ||
      (stored.pending && !Put(ToProto(*stored.pending), "confirm", root)) ||
      (stored.held && !Put(SpecToProto(*stored.held), "held", root)) ||
      (stored.from_file &&
       !Put(SpecToProto(*stored.from_file), "fromFile", root))) {
    return std::nullopt;
  }
  fields["format"].set_number_value(kFormat);
  fields[kVersionKey].set_string_value(UPLINKD_VERSION);
  fields["generation"].set_number_value(static_cast<double>(stored.generation));
  auto& ids = *fields["ids"].mutable_struct_value()->mutable_fields();
  for (const auto& [name, id] : stored.ids) ids[name].set_number_value(id);
  google::protobuf::util::JsonPrintOptions pretty;
  pretty.add_whitespace = true;
  std::string text;
  if (!MessageToJsonString(root, &text, pretty).ok()) return std::nullopt;
  return Sealed(text);
}

tl::expected<StoredSpec, std::string> DecodeStoredSpec(
    const std::string& text) {
  Struct root;
  if (const auto status = JsonStringToMessage(text, &root); !status.ok()) {
    return Wrong("it is not JSON: " + VisibleText(status.ToString()));
  }
  if (root.fields().contains(kSealKey) && !SealHolds(text)) {
    return Wrong(std::string("its content is not what its ") + kSealKey +
                 " says, so it was damaged or changed by hand");
  }
  tl::expected<StoredSpec, std::string> stored = DecodeObject(root);
  const std::string writer = WriterOf(root);
  if (stored || strverscmp(writer.c_str(), UPLINKD_VERSION) <= 0) return stored;
  return Wrong("uplinkd " + writer + " wrote it, and this older one, " +
               UPLINKD_VERSION + ", does not know all of it (" +
               stored.error() + "); install the newer one again");
}

std::map<std::string, UplinkId> RememberIds(
    std::map<std::string, UplinkId> remembered, const Spec& spec) {
  for (const Uplink& uplink : spec.uplinks) {
    std::erase_if(remembered, [&](const auto& entry) {
      return entry.second == uplink.id && entry.first != uplink.name;
    });
    remembered[uplink.name] = uplink.id;
  }
  return remembered;
}

SpecStore::SpecStore(const std::string& state_dir)
    : directory_(state_dir), path_(state_dir + "/spec.json") {}

Result<std::optional<StoredSpec>> SpecStore::Load() const {
  const Result<std::string> text = ReadFile(path_);
  if (!text) {
    switch (text.error().code) {
      case ErrorCode::kNotFound: return std::nullopt;
      case ErrorCode::kResourceExhausted: return tl::unexpected(text.error());
      default: return Corrupt(path_, text.error().message);
    }
  }
  tl::expected<StoredSpec, std::string> stored = DecodeStoredSpec(*text);
  if (!stored) return Corrupt(path_, stored.error());
  return std::move(*stored);
}

Result<void> SpecStore::Save(const StoredSpec& stored) {
  const std::optional<std::string> text = EncodeStoredSpec(stored);
  if (!text) {
    return Fail(ErrorCode::kInternal, "the spec cannot be written as JSON");
  }
  if (Result<void> made = MakeDirectory(directory_); !made) return made;
  if (Result<void> aside = SetCorruptAside(); !aside) return aside;
  return ReplaceFile(path_, *text);
}

Result<void> SpecStore::Forget() {
  if (Result<void> aside = SetCorruptAside(); !aside) return aside;
  return RemoveFile(path_);
}

Result<void> SpecStore::SetCorruptAside() {
  const Result<std::optional<StoredSpec>> present = Load();
  if (present || present.error().code != ErrorCode::kFailedPrecondition) {
    return {};
  }
  return SetAside(path_);
}

Result<void> SpecStore::MayForget() const {
  return MayRemoveIn(directory_);
}

}  // namespace uplinkd
