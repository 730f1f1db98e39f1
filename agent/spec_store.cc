#include "agent/spec_store.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <utility>

#include "agent/files.h"
#include "proto/convert.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;

// Version of the file's layout, not of the agent.
constexpr double kFormat = 1;

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

// The file's text, or nothing if protobuf refuses to print.
std::optional<std::string> Encode(const StoredSpec& stored) {
  std::string router;
  Struct root;
  auto& fields = *root.mutable_fields();
  if (!MessageToJsonString(SpecToProto(stored.spec), &router).ok() ||
      !JsonStringToMessage(router, fields["router"].mutable_struct_value())
           .ok()) {
    return std::nullopt;
  }
  fields["format"].set_number_value(kFormat);
  fields["generation"].set_number_value(static_cast<double>(stored.generation));
  auto& ids = *fields["ids"].mutable_struct_value()->mutable_fields();
  for (const auto& [name, id] : stored.ids) ids[name].set_number_value(id);
  google::protobuf::util::JsonPrintOptions pretty;
  pretty.add_whitespace = true;
  std::string text;
  if (!MessageToJsonString(root, &text, pretty).ok()) return std::nullopt;
  return text;
}

// What is wrong comes back as text.
tl::expected<Spec, std::string> DecodeRouter(const Struct& router) {
  std::string text;
  v1::Router message;
  if (!MessageToJsonString(router, &text).ok())
    return Wrong("its router is no object");
  if (const auto status = JsonStringToMessage(text, &message); !status.ok()) {
    return Wrong("its router: " + status.ToString());
  }
  Converted converted = SpecFromProto(message);
  if (!converted.violations.empty()) {
    const Violation& first = converted.violations.front();
    return Wrong("its router: " + first.field + ": " + first.message);
  }
  return std::move(converted.spec);
}

tl::expected<StoredSpec, std::string> Decode(const std::string& text) {
  Struct root;
  if (const auto status = JsonStringToMessage(text, &root); !status.ok()) {
    return Wrong("it is not JSON: " + status.ToString());
  }
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
  const Struct* router = Object(root, "router");
  if (ids == nullptr || router == nullptr) {
    return Wrong("its ids or its router are missing");
  }
  for (const auto& [name, value] : ids->fields()) {
    const auto id = WholeNumber(*ids, name);
    if (!id || *id == 0 || *id > UINT32_MAX) {
      return Wrong("the id of " + name + " is not a number");
    }
    stored.ids[name] = static_cast<UplinkId>(*id);
  }
  tl::expected<Spec, std::string> spec = DecodeRouter(*router);
  if (!spec) return Wrong(spec.error());
  stored.spec = AssignIds(std::move(*spec), stored.ids);
  return stored;
}

}  // namespace

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
    if (text.error().code == ErrorCode::kNotFound) return std::nullopt;
    return tl::unexpected(text.error());
  }
  tl::expected<StoredSpec, std::string> stored = Decode(*text);
  if (!stored) return Corrupt(path_, stored.error());
  return std::move(*stored);
}

Result<void> SpecStore::Save(const StoredSpec& stored) {
  const std::optional<std::string> text = Encode(stored);
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
  return MoveFile(path_, path_ + ".corrupt");
}

}  // namespace uplinkd
