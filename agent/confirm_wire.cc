#include "agent/confirm_wire.h"

#include <utility>
#include <variant>

#include "agent/wire.h"
#include "proto/convert.h"
#include "proto/convert_health.h"

namespace uplinkd {
namespace {

using google::protobuf::RepeatedPtrField;

// What a probe of the spec must be like beyond its form.
std::string FaultOfCheck(const Probe& probe) {
  if (const auto* dns = std::get_if<DnsProbe>(&probe)) {
    if (!IsHostName(dns->name)) return "its name is no host name";
  }
  if (const auto* http = std::get_if<HttpProbe>(&probe)) {
    const auto url = ParseHttpUrl(http->url);
    if (!url) return "its URL is not one like http://192.0.2.7/health";
    if (!http->address && !Address::Parse(url->host)) {
      return "its URL names a host, and no name is resolved: give the address";
    }
  }
  return "";
}

RepeatedPtrField<v1::Probe> ToProbes(const std::vector<Probe>& checks) {
  v1::Health message;
  HealthToProto({.probes = checks}, message);
  return std::move(*message.mutable_probes());
}

}  // namespace

Result<std::vector<Probe>> ChecksFromProto(
    const RepeatedPtrField<v1::Probe>& probes) {
  v1::Health message;
  *message.mutable_probes() = probes;
  std::vector<Violation> faults;
  std::vector<Probe> checks =
      HealthFromProto(message, "confirm_checks", faults).probes;
  if (!faults.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                faults.front().field + ": " + faults.front().message);
  }
  for (const Probe& check : checks) {
    const std::string fault = FaultOfCheck(check);
    if (fault.empty()) continue;
    return Fail(ErrorCode::kInvalidArgument,
                "the check " + ProbeName(check) + ": " + fault);
  }
  return checks;
}

v1::StoredConfirm ToProto(const PendingConfirm& pending) {
  v1::StoredConfirm stored;
  stored.set_id(pending.terms.id);
  *stored.mutable_within() = ToProto(pending.terms.within);
  *stored.mutable_checks() = ToProbes(pending.terms.checks);
  *stored.mutable_since() = ToProto(pending.since.wall);
  *stored.mutable_uptime() = ToProto(pending.since.uptime);
  stored.set_boot(pending.since.boot);
  stored.set_return_generation(pending.return_generation);
  *stored.mutable_return_router() = SpecToProto(pending.return_spec);
  for (const std::string& uplink : pending.ready) stored.add_ready(uplink);
  return stored;
}

tl::expected<PendingConfirm, std::string> FromProto(
    const v1::StoredConfirm& stored) {
  PendingConfirm pending;
  pending.terms.id = stored.id();
  pending.terms.within =
      std::chrono::ceil<std::chrono::milliseconds>(FromProto(stored.within()));
  if (pending.terms.within > kLongestConfirm) {
    return tl::unexpected<std::string>("nothing waits for longer than 24h");
  }
  Result<std::vector<Probe>> checks = ChecksFromProto(stored.checks());
  if (!checks) return tl::unexpected(checks.error().message);
  pending.terms.checks = *std::move(checks);
  pending.since = {FromProto(stored.since()), FromProto(stored.uptime()),
                   stored.boot()};
  pending.return_generation = stored.return_generation();
  Converted converted = SpecFromProto(stored.return_router());
  if (!converted.violations.empty()) {
    const Violation& first = converted.violations.front();
    return tl::unexpected(first.field + ": " + first.message);
  }
  pending.return_spec = std::move(converted.spec);
  pending.ready = {stored.ready().begin(), stored.ready().end()};
  return pending;
}

v1::ConfirmStatus ToConfirmStatus(const StoredSpec& stored, const Moment& now,
                                  const std::string& checks_fault) {
  const PendingConfirm& pending = *stored.pending;
  v1::ConfirmStatus status;
  status.set_id(pending.terms.id);
  status.set_generation(stored.generation);
  *status.mutable_deadline() = ToProto(DeadlineOf(pending, now));
  status.set_return_to(pending.return_generation);
  for (const Probe& check : pending.terms.checks) {
    status.add_checks(ProbeName(check));
  }
  status.set_checks_fault(checks_fault);
  return status;
}

}  // namespace uplinkd
