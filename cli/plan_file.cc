#include "cli/plan_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <openssl/sha.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "cli/message_text.h"

namespace uplinkd {
namespace {

constexpr const char* kApiVersion = "uplinkd/v1";
constexpr const char* kKind = "Plan";

tl::unexpected<std::string> SystemFault(const std::string& path) {
  return tl::unexpected(path + ": " + std::strerror(errno));
}

tl::unexpected<std::string> NoPlan(const std::string& path,
                                   const std::string& why) {
  // Of several lines the first has the fault, the others a drawing of it.
  return tl::unexpected(path + " is no plan file (" +
                        why.substr(0, why.find('\n')) +
                        "); \"uplinkctl plan\" makes one, and a spec is given "
                        "with -f");
}

tl::expected<std::string, std::string> ReadText(const std::string& path) {
  std::ifstream file(path);
  if (!file) return SystemFault(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return SystemFault(path);
  return text;
}

// Of all but the digest itself.
std::string DigestOf(v1::PlanFile plan) {
  plan.clear_sha256();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    plan.SerializeToCodedStream(&coded);
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         digest.data());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xfU];
  }
  return text;
}

// Also one of another version, or that was changed.
bool HoldsAPlan(const std::string& text) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::PlanFile plan;
  return google::protobuf::util::JsonStringToMessage(text, &plan, options)
             .ok() &&
         plan.kind() == kKind;
}

}  // namespace

tl::expected<void, std::string> MayBecomePlanFile(
    const std::string& path, const std::string& spec_file) {
  namespace fs = std::filesystem;
  const std::string spec = spec_file == "-" ? "/dev/stdin" : spec_file;
  std::error_code error;
  if (fs::equivalent(path, spec, error)) {
    return tl::unexpected(path +
                          " is the spec itself; the plan needs another "
                          "file");
  }
  // One that is not there, a device, or what mktemp(1) made.
  if (!fs::is_regular_file(path, error) || fs::is_empty(path, error)) return {};
  const auto text = ReadText(path);
  if (!text) return tl::unexpected(text.error());
  if (HoldsAPlan(*text)) return {};
  return tl::unexpected(path +
                        " exists and is no plan file; it stays as it "
                        "is: remove it, or write the plan elsewhere");
}

tl::expected<void, std::string> WritePlanFile(const std::string& path,
                                              v1::PlanFile plan) {
  plan.set_api_version(kApiVersion);
  plan.set_kind(kKind);
  plan.set_sha256(DigestOf(plan));
  std::ofstream file(path, std::ios::trunc);
  file << WriteJson(plan, JsonStyle::kIndented);
  file.close();
  if (!file) return SystemFault(path);
  return {};
}

tl::expected<v1::PlanFile, std::string> ReadPlanFile(const std::string& path) {
  const auto text = ReadText(path);
  if (!text) return tl::unexpected(text.error());
  v1::PlanFile plan;
  const auto read = google::protobuf::util::JsonStringToMessage(*text, &plan);
  if (!read.ok()) return NoPlan(path, std::string(read.message()));
  if (plan.kind() != kKind) {
    return NoPlan(path, "its kind is \"" + plan.kind() + "\"");
  }
  if (plan.api_version() != kApiVersion) {
    return NoPlan(path, "its apiVersion is \"" + plan.api_version() + "\"");
  }
  if (plan.sha256() != DigestOf(plan)) {
    return tl::unexpected(path +
                          " was changed since it was made; nothing was "
                          "applied, make a new plan");
  }
  return plan;
}

}  // namespace uplinkd
