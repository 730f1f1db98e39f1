#include "reconciler/linux/rule.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_list.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// The kernel reports these limits on every rule, all ones for none.
constexpr std::uint32_t kNoLimit = 0xffffffff;

std::string AttributeName(int type) {
  switch (type) {
    case FRA_DST: return "to";
    case FRA_OIFNAME: return "oif";
    case FRA_GOTO: return "goto";
    case FRA_FLOW: return "realms";
    case FRA_TUN_ID: return "tunnel-id";
    case FRA_SUPPRESS_IFGROUP: return "suppress-ifgroup";
    case FRA_L3MDEV: return "l3mdev";
    case FRA_UID_RANGE: return "uid-range";
    case FRA_IP_PROTO: return "ipproto";
    case FRA_SPORT_RANGE: return "sport";
    case FRA_DPORT_RANGE: return "dport";
    default: return "attribute-" + std::to_string(type);
  }
}

PolicyRule DecodeHeader(const fib_rule_hdr& header) {
  PolicyRule rule;
  rule.family = FamilyOf(header.family).value_or(Family::kIpv4);
  rule.table = header.table;
  rule.protocol = 0;
  if (header.tos != 0) AppendUnknown(rule.extra, "tos", header.tos);
  switch (header.action) {
    case FR_ACT_TO_TBL: break;
    case FR_ACT_UNREACHABLE: rule.action = RuleAction::kUnreachable; break;
    case FR_ACT_BLACKHOLE: rule.action = RuleAction::kBlackhole; break;
    default: AppendUnknown(rule.extra, "action", header.action);
  }
  // The other flags are the rule's present condition: its link is gone, its
  // goto leads nowhere.
  if ((header.flags & FIB_RULE_INVERT) != 0)
    AppendUnknown(rule.extra, "not", 1);
  return rule;
}

// True if the attribute is one that a PolicyRule models.
bool DecodeAttribute(const nlattr* attribute, int source_length,
                     PolicyRule& rule) {
  switch (nla_type(attribute)) {
    case FRA_PRIORITY: rule.priority = DecodeU32(attribute); return true;
    case FRA_TABLE: rule.table = DecodeU32(attribute); return true;
    case FRA_PROTOCOL: rule.protocol = DecodeU8(attribute); return true;
    case FRA_SRC:
      rule.source =
          Prefix(DecodeAddress(attribute, rule.family), source_length);
      return true;
    case FRA_IIFNAME: rule.in_interface = DecodeText(attribute); return true;
    case FRA_FWMARK:
      rule.mark = Mark{DecodeU32(attribute), rule.mark.value_or(Mark{}).mask};
      return true;
    case FRA_FWMASK:
      rule.mark = Mark{rule.mark.value_or(Mark{}).value, DecodeU32(attribute)};
      return true;
    case FRA_SUPPRESS_PREFIXLEN:
      if (DecodeU32(attribute) != kNoLimit) {
        rule.suppress_prefix_length = DecodeU32(attribute);
      }
      return true;
    case FRA_SUPPRESS_IFGROUP: return DecodeU32(attribute) == kNoLimit;
    case FRA_PAD: return true;
    default: return false;
  }
}

// Looks before decoding: there may be thousands of foreign rules.
bool IsOurs(nlmsghdr* message, std::uint8_t family) {
  constexpr int kHeader = sizeof(fib_rule_hdr);
  fib_rule_hdr header{};
  if (!CopyHeader(message, header)) return false;
  if (header.family != family) return false;
  const nlattr* protocol = nlmsg_find_attr(message, kHeader, FRA_PROTOCOL);
  if (protocol == nullptr || DecodeU8(protocol) != kProtocol) return false;
  const nlattr* priority = nlmsg_find_attr(message, kHeader, FRA_PRIORITY);
  return priority != nullptr && IsOwnedPriority(DecodeU32(priority));
}

}  // namespace

Result<std::vector<PolicyRule>> ReadOwnRules(NlSocket& socket, Family family) {
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(SystemFamily(family));
  Result<std::vector<PolicyRule>> rules = ReadList<PolicyRule>(
      socket, NlRequest(RTM_GETRULE, NLM_F_DUMP, header),
      [&header](nlmsghdr* message) -> std::optional<PolicyRule> {
        if (!IsOurs(message, header.family)) return std::nullopt;
        return DecodeRule(message);
      },
      family == Family::kIpv4 ? RTNLGRP_IPV4_RULE : RTNLGRP_IPV6_RULE);
  // A kernel without that family has no rules of it.
  if (!rules && rules.error().system_errno == EAFNOSUPPORT) {
    return std::vector<PolicyRule>();
  }
  if (rules) std::ranges::sort(*rules);
  return rules;
}

PolicyRule DecodeRule(nlmsghdr* message) {
  fib_rule_hdr header{};
  if (!CopyHeader(message, header)) return {};
  PolicyRule rule = DecodeHeader(header);
  nlattr* attribute = nullptr;
  int left = 0;
  nla_for_each_attr(attribute, nlmsg_attrdata(message, sizeof(header)),
                    nlmsg_attrlen(message, sizeof(header)), left) {
    if (!DecodeAttribute(attribute, header.src_len, rule)) {
      AppendUnknown(rule.extra, AttributeName(nla_type(attribute)), attribute);
    }
  }
  return rule;
}

namespace {

std::uint8_t ActionOf(RuleAction action) {
  switch (action) {
    case RuleAction::kLookup: break;
    case RuleAction::kUnreachable: return FR_ACT_UNREACHABLE;
    case RuleAction::kBlackhole: return FR_ACT_BLACKHOLE;
  }
  return FR_ACT_TO_TBL;
}

}  // namespace

NlRequest EncodeRule(RuleOperation operation, const PolicyRule& rule) {
  const bool create = operation == RuleOperation::kCreate;
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(SystemFamily(rule.family));
  header.src_len =
      static_cast<std::uint8_t>(rule.source ? rule.source->length() : 0);
  // A rule that somebody embellished may not even look up a table: on removal
  // "unspecified" means any.
  const bool any = !create && !rule.extra.empty();
  header.action = any ? std::uint8_t{FR_ACT_UNSPEC} : ActionOf(rule.action);
  // Without EXCL the kernel would make a second, equal rule.
  NlRequest request(create ? RTM_NEWRULE : RTM_DELRULE,
                    create ? NLM_F_CREATE | NLM_F_EXCL : 0, header);
  request.PutU32(FRA_PRIORITY, rule.priority);
  if (rule.action == RuleAction::kLookup) {
    request.PutU32(FRA_TABLE, rule.table);
  }
  request.PutU8(FRA_PROTOCOL, rule.protocol);
  if (rule.source && rule.source->length() > 0) {
    PutAddress(request, FRA_SRC, rule.source->network());
  }
  if (!rule.in_interface.empty()) {
    request.PutString(FRA_IIFNAME, rule.in_interface);
  }
  if (rule.mark) {
    request.PutU32(FRA_FWMARK, rule.mark->value);
    request.PutU32(FRA_FWMASK, rule.mark->mask);
  }
  if (rule.suppress_prefix_length) {
    request.PutU32(FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefix_length);
  }
  return request;
}

}  // namespace uplinkd
