#include "cli/plan_file.h"

#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

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

}  // namespace

tl::expected<void, std::string> WritePlanFile(const std::string& path,
                                              v1::PlanFile plan) {
  plan.set_api_version(kApiVersion);
  plan.set_kind(kKind);
  std::ofstream file(path, std::ios::trunc);
  file << WriteJson(plan, JsonStyle::kIndented);
  file.close();
  if (!file) return SystemFault(path);
  return {};
}

tl::expected<v1::PlanFile, std::string> ReadPlanFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return SystemFault(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return SystemFault(path);
  v1::PlanFile plan;
  const auto read = google::protobuf::util::JsonStringToMessage(text, &plan);
  if (!read.ok()) return NoPlan(path, std::string(read.message()));
  if (plan.kind() != kKind) {
    return NoPlan(path, "its kind is \"" + plan.kind() + "\"");
  }
  if (plan.api_version() != kApiVersion) {
    return NoPlan(path, "its apiVersion is \"" + plan.api_version() + "\"");
  }
  return plan;
}

}  // namespace uplinkd
