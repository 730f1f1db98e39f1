#include "proto/convert_traffic.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <optional>
#include <utility>

#include "proto/convert_values.h"
#include "proto/packet_words.h"
#include "reconciler/names.h"

namespace uplinkd {
namespace {

using Words = google::protobuf::RepeatedPtrField<std::string>;

constexpr std::pair<v1::LimitKey, LimitKey> kLimitKeys[] = {
    {v1::LIMIT_KEY_ALL, LimitKey::kAll},
    {v1::LIMIT_KEY_SOURCE, LimitKey::kSource},
    {v1::LIMIT_KEY_DESTINATION, LimitKey::kDestination},
    {v1::LIMIT_KEY_SOURCE_DESTINATION, LimitKey::kSourceDestination},
};

class MatchReader {
 public:
  MatchReader(std::string path, std::vector<Violation>& faults)
      : path_(std::move(path)), faults_(faults) {}

  // All but the `not`.
  TrafficMatch Read(const v1::Match& source) {
    TrafficMatch match;
    if (!source.protocol().empty()) {
      constexpr std::uint8_t kReserved = 255;
      match.protocol = Take(ParseProtocol(source.protocol()),
                            path_ + ".protocol", kReserved);
    }
    ReadNetworks(source.source(), "source", match.source);
    ReadNetworks(source.destination(), "destination", match.destination);
    ReadList(source.source_ports(), "sourcePorts", ParsePorts,
             match.source_ports);
    ReadList(source.destination_ports(), "destinationPorts", ParsePorts,
             match.destination_ports);
    match.interface = source.interface();
    ReadList(source.dscp(), "dscp", ParseDscp, match.dscp);
    ReadList(source.source_mac(), "sourceMac", ParseMac, match.source_mac);
    match.source_set = source.source_set();
    match.destination_set = source.destination_set();
    match.mark = ReadMark(source.mark(), ".mark");
    match.connmark = ReadMark(source.connmark(), ".connmark");
    if (source.has_limit()) match.limit = ReadLimit(source.limit());
    ReadList(source.uid(), "uid", ParseUids, match.uid);
    return match;
  }

 private:
  std::string Item(const char* list, int index) const {
    return path_ + "." + list + "[" + std::to_string(index) + "]";
  }

  template <typename Value>
  Value Take(const Parsed<Value>& parsed, std::string field, Value otherwise) {
    if (parsed) return *parsed;
    faults_.push_back({std::move(field), parsed.error()});
    return otherwise;
  }

  template <typename Value>
  void ReadList(const Words& words, const char* list,
                Parsed<Value> (*parse)(const std::string&),
                std::vector<Value>& values) {
    for (int i = 0; i < words.size(); ++i) {
      values.push_back(Take(parse(words[i]), Item(list, i), Value{}));
    }
  }

  std::optional<Mark> ReadMark(const std::string& text, const char* field) {
    if (text.empty()) return std::nullopt;
    return Take(ParseMark(text), path_ + field, Mark{});
  }

  RateLimit ReadLimit(const v1::Limit& source) {
    const std::string path = path_ + ".limit";
    RateLimit limit;
    const Rate rate = Take(ParseRate(source.rate()), path + ".rate", Rate{1});
    limit.count = rate.count;
    limit.unit = rate.unit;
    if (source.burst() != 0) limit.burst = source.burst();
    limit.per =
        ReadEnum(path + ".per", kLimitKeys, source.per(), limit.per, faults_);
    return limit;
  }

  void ReadNetworks(const Words& words, const char* list,
                    std::vector<Prefix>& networks) {
    for (int i = 0; i < words.size(); ++i) {
      networks.push_back(ReadNetwork(Item(list, i), words[i], faults_)
                             .value_or(Prefix::Host(Address())));
    }
  }

  std::string path_;
  std::vector<Violation>& faults_;
};

void WriteLimit(const RateLimit& limit, v1::Limit& to) {
  to.set_rate(FormatRate({limit.count, limit.unit}));
  to.set_burst(limit.burst);
  to.set_per(ToProto(kLimitKeys, limit.per));
}

void WriteMatch(const TrafficMatch& match, v1::Match& to) {
  if (match.protocol) to.set_protocol(FormatProtocol(*match.protocol));
  for (const Prefix& network : match.source) {
    to.add_source(network.ToString());
  }
  for (const Prefix& network : match.destination) {
    to.add_destination(network.ToString());
  }
  for (const PortRange& range : match.source_ports) {
    to.add_source_ports(FormatPorts(range));
  }
  for (const PortRange& range : match.destination_ports) {
    to.add_destination_ports(FormatPorts(range));
  }
  to.set_interface(match.interface);
  for (const std::uint8_t dscp : match.dscp) to.add_dscp(FormatDscp(dscp));
  for (const MacAddress& mac : match.source_mac) {
    to.add_source_mac(FormatMac(mac));
  }
  to.set_source_set(match.source_set);
  to.set_destination_set(match.destination_set);
  if (match.mark) to.set_mark(FormatMark(*match.mark));
  if (match.connmark) to.set_connmark(FormatMark(*match.connmark));
  if (match.limit) WriteLimit(*match.limit, *to.mutable_limit());
  for (const UidRange& range : match.uid) to.add_uid(FormatUids(range));
}

}  // namespace

std::optional<Prefix> ReadNetwork(const std::string& field,
                                  const std::string& text,
                                  std::vector<Violation>& faults) {
  const std::optional<Prefix> lenient = Prefix::ParseLenient(text);
  if (!lenient) {
    faults.push_back({field, Quote(text) + " is not a network; write it like "
                                           "192.168.10.0/24"});
  } else if (!Prefix::Parse(text)) {
    faults.push_back({field, text + " has host bits set; the network is " +
                                 lenient->ToString()});
  }
  return lenient;
}

TrafficRule TrafficRuleFromProto(const v1::TrafficRule& source,
                                 const std::string& path,
                                 std::vector<Violation>& faults) {
  TrafficRule rule;
  rule.name = source.name();
  rule.use = source.use();
  const std::string match = path + ".match";
  rule.match = MatchReader(match, faults).Read(source.match());
  const v1::Match& except = source.match().not_();
  rule.except = MatchReader(match + ".not", faults).Read(except);
  if (except.has_not_()) {
    faults.push_back(
        {match + ".not.not", "a `not` has none itself; move it up to `match`"});
  }
  return rule;
}

void TrafficRuleToProto(const TrafficRule& rule, v1::TrafficRule& to) {
  to.set_name(rule.name);
  to.set_use(rule.use);
  if (rule.match != TrafficMatch{}) WriteMatch(rule.match, *to.mutable_match());
  if (rule.except != TrafficMatch{}) {
    WriteMatch(rule.except, *to.mutable_match()->mutable_not_());
  }
}

}  // namespace uplinkd
