// The words of iptables(8).
#include <array>
#include <cstdint>
#include <cstdio>
#include <type_traits>

#include "reconciler/hex.h"
#include "reconciler/render.h"

namespace uplinkd {
namespace {

std::string MaskedMark(const Mark& mark) {
  return Hex(mark.value) + "/" + Hex(mark.mask);
}

std::string_view Not(bool invert) {
  return invert ? "! " : "";
}

// ---- matches ----

std::string Render(const MarkMatch& match) {
  return std::string("-m mark ").append(Not(match.invert)) + "--mark " +
         MaskedMark(match.mark);
}

std::string Render(const ConnmarkMatch& match) {
  return std::string("-m connmark ").append(Not(match.invert)) + "--mark " +
         MaskedMark(match.mark);
}

std::string Render(const NewConnectionMatch& /*match*/) {
  return "-m conntrack --ctstate NEW";
}

std::string Render(const RandomMatch& match) {
  // The program reads it back as lround(2^31 * probability): eleven digits
  // are enough for the very same threshold.
  constexpr double kCertain = 2147483648.0;
  char text[32];
  std::snprintf(text, sizeof text, "%.11f", match.threshold / kCertain);
  return std::string("-m statistic --mode random --probability ") + text;
}

std::string Render(const SourceCoinMatch& match) {
  return std::string("-m cluster --cluster-total-nodes 2 ")
             .append(Not(match.invert)) +
         "--cluster-local-nodemask 1 --cluster-hash-seed " + Hex(match.seed);
}

std::string Render(const CounterMatch& match, Family family) {
  std::string list = "-m recent --name " + match.name + " --mask " +
                     Prefix::Default(family).network().ToString() +
                     " --rsource ";
  switch (match.operation) {
    case CounterMatch::Operation::kAtLeast:
      return list + "--rcheck --hitcount " + std::to_string(match.hits);
    case CounterMatch::Operation::kIncrement: return list + "--set";
    case CounterMatch::Operation::kReset: return list + "--remove";
  }
  return list;
}

// The program wants bits per second and keeps bytes.
std::string BitRate(std::uint32_t bytes_per_second) {
  return std::to_string(std::uint64_t{bytes_per_second} * 8) + "bit";
}

std::string Render(const FreeCapacityMatch& match) {
  const FreeCapacityMatch::Side& left = match.left;
  const std::string capacity =
      left.estimator + " --rateest-bps1 " + BitRate(left.capacity);
  if (!match.right) {
    return "-m rateest --rateest-delta --rateest " + capacity +
           " --rateest-eq --rateest-bps2 0bit";
  }
  return "-m rateest --rateest-delta --rateest1 " + capacity +
         " --rateest-gt --rateest2 " + match.right->estimator +
         " --rateest-bps2 " + BitRate(match.right->capacity);
}

std::string Render(const PortsMatch& match) {
  const bool source = match.side == PortsMatch::Side::kSource;
  std::string text = std::string("-m multiport ").append(Not(match.invert)) +
                     (source ? "--sports " : "--dports ");
  for (const PortRange& range : match.ports) {
    if (text.back() != ' ') text += ',';
    text += std::to_string(range.first);
    if (range.last != range.first) text += ":" + std::to_string(range.last);
  }
  return text;
}

std::string Render(const DscpMatch& match) {
  return std::string("-m dscp ").append(Not(match.invert)) + "--dscp " +
         Hex(match.dscp);
}

std::string Render(const MacMatch& match) {
  std::string text =
      std::string("-m mac ").append(Not(match.invert)) + "--mac-source ";
  for (const std::uint8_t byte : match.source) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x:", byte);
    text += digits;
  }
  text.pop_back();
  return text;
}

std::string Render(const OwnerMatch& match) {
  std::string text = std::string("-m owner ").append(Not(match.invert)) +
                     "--uid-owner " + std::to_string(match.uid.first);
  if (match.uid.last != match.uid.first) {
    text += "-" + std::to_string(match.uid.last);
  }
  return text;
}

std::string_view UnitWord(std::chrono::seconds unit) {
  if (unit == std::chrono::seconds(1)) return "sec";
  if (unit == std::chrono::minutes(1)) return "min";
  return unit == std::chrono::hours(1) ? "hour" : "day";
}

std::string_view KeyWords(LimitKey key) {
  switch (key) {
    case LimitKey::kAll: return "";
    case LimitKey::kSource: return " --hashlimit-mode srcip";
    case LimitKey::kDestination: return " --hashlimit-mode dstip";
    case LimitKey::kSourceDestination: return " --hashlimit-mode srcip,dstip";
  }
  return "";
}

std::string Render(const ClientListMatch& match, Family family) {
  const std::string mask = family == Family::kIpv4
                               ? "255.255.255.255"
                               : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  std::string list =
      "-m recent --name " + match.name + " --mask " + mask + " --rsource ";
  switch (match.operation) {
    case ClientListMatch::Operation::kHolds:
      return list + "--rcheck --seconds " + std::to_string(match.seconds);
    case ClientListMatch::Operation::kAdd: return list + "--set";
    case ClientListMatch::Operation::kRemove: return list + "--remove";
  }
  return list;
}

std::string Render(const IpsetMatch& match) {
  return std::string("-m set ").append(Not(match.invert)) + "--match-set " +
         match.set +
         (match.side == IpsetMatch::Side::kSource ? " src" : " dst");
}

std::string Render(const BudgetMatch& match) {
  const BudgetRate rate = RateOf(match);
  return std::string("-m hashlimit ") +
         (match.invert ? "--hashlimit-above " : "--hashlimit-upto ") +
         std::to_string(rate.count).append("/").append(UnitWord(rate.unit)) +
         " --hashlimit-burst " +
         std::to_string(match.burst).append(KeyWords(match.key)) +
         " --hashlimit-name " + match.name;
}

std::string Render(const OpaqueMatch& match) {
  return "-m " + match.text;
}

// ---- targets ----

std::string Render(const ContinueTarget& /*target*/) {
  return "";
}

std::string Render(const ReturnTarget& /*target*/) {
  return "-j RETURN";
}

std::string Render(const JumpTarget& target) {
  return (target.go_to ? "-g " : "-j ") + target.chain;
}

std::string Render(const SetMarkTarget& target) {
  return "-j MARK --set-xmark " + MaskedMark(target.mark);
}

std::string MarkMasks(std::uint32_t mask) {
  return " --nfmask " + Hex(mask) + " --ctmask " + Hex(mask);
}

std::string Render(const SaveMarkTarget& target) {
  return "-j CONNMARK --save-mark" + MarkMasks(target.mask);
}

std::string Render(const RestoreMarkTarget& target) {
  return "-j CONNMARK --restore-mark" + MarkMasks(target.mask);
}

// 2^log2 seconds; the shortest that the kernel knows is a quarter second.
std::string Duration(int log2_seconds) {
  constexpr int kQuarterSecond = -2;
  const std::uint64_t count = std::uint64_t{250}  // of milliseconds
                              << (log2_seconds - kQuarterSecond);
  return std::to_string(count) + "ms";
}

std::string Render(const EstimateTarget& target) {
  return "-j RATEEST --rateest-name " + target.estimator +
         " --rateest-interval " + Duration(target.interval_log2) +
         " --rateest-ewmalog " +
         Duration(target.interval_log2 + target.ewma_log2);
}

std::string Render(const SnatTarget& target) {
  return "-j SNAT --to-source " + target.address.ToString();
}

std::string Render(const MasqueradeTarget& /*target*/) {
  return "-j MASQUERADE";
}

std::string Render(const NetmapTarget& target) {
  return "-j NETMAP --to " + target.prefix.ToString();
}

std::string Render(const OpaqueTarget& target) {
  return "-j " + target.text;
}

// ---- rules and edits ----

void Append(std::string& text, const std::string& words) {
  if (words.empty()) return;
  if (!text.empty()) text += ' ';
  text += words;
}

void AppendPrefix(std::string& text, std::string_view option,
                  const std::optional<PrefixMatch>& match) {
  if (!match) return;
  Append(text, std::string(Not(match->invert)).append(option) + " " +
                   match->prefix.ToString());
}

// Whether the program could say it: what somebody else put into one of our
// chains may be known by its digest alone.
bool HasWords(const ChainRule& rule) {
  if (!rule.extra.empty()) return false;
  if (std::holds_alternative<OpaqueTarget>(rule.target)) return false;
  for (const Match& match : rule.matches) {
    if (std::holds_alternative<OpaqueMatch>(match)) return false;
  }
  return true;
}

struct EditWords {
  char sign;
  std::string_view option;
  std::string_view object;
};

EditWords WordsOf(ChainEdit::Kind kind) {
  switch (kind) {
    case ChainEdit::Kind::kCreateChain: return {'+', "-N", "chain"};
    case ChainEdit::Kind::kFlushChain: return {'-', "-F", "chain"};
    case ChainEdit::Kind::kDeleteChain: return {'-', "-X", "chain"};
    case ChainEdit::Kind::kInsertRule: return {'+', "-I", "chain-rule"};
    case ChainEdit::Kind::kDeleteRule: return {'-', "-D", "chain-rule"};
    case ChainEdit::Kind::kInsertJump: return {'+', "-I", "jump"};
    case ChainEdit::Kind::kDeleteJump: return {'-', "-D", "jump"};
  }
  return {'+', "", ""};
}

// "0.0.0.5/0.0.0.15", "::5/::f"
std::string GroupWords(std::uint8_t group, Family family) {
  const auto words = [family](std::uint8_t bits) {
    std::array<std::uint8_t, 16> bytes{};
    bytes.at(static_cast<std::size_t>(FamilyBits(family) / 8 - 1)) = bits;
    return Address::FromBytes(family, bytes).ToString();
  };
  return words(group) + "/" + words(kDestinationGroups - 1);
}

}  // namespace

std::string RenderChainRule(const ChainRule& rule, Family family) {
  std::string text;
  if (!rule.in_interface.empty()) Append(text, "-i " + rule.in_interface);
  if (!rule.out_interface.empty()) Append(text, "-o " + rule.out_interface);
  AppendPrefix(text, "-s", rule.source);
  AppendPrefix(text, "-d", rule.destination);
  if (rule.destination_group) {
    Append(text, "-d " + GroupWords(*rule.destination_group, family));
  }
  if (rule.protocol != 0) {
    Append(text, "-p " + std::to_string(rule.protocol));
  }
  Append(text, rule.extra);
  for (const Match& match : rule.matches) {
    Append(text, std::visit(
                     [family](const auto& m) {
                       if constexpr (requires { Render(m, family); }) {
                         return Render(m, family);
                       } else {
                         return Render(m);
                       }
                     },
                     match));
  }
  Append(text,
         std::visit([](const auto& t) { return Render(t); }, rule.target));
  return text;
}

PlanLine RenderEdit(XtTable table, const ChainEdit& edit) {
  using enum ChainEdit::Kind;
  const EditWords words = WordsOf(edit.kind);
  const bool is_jump = edit.kind == kInsertJump || edit.kind == kDeleteJump;
  const bool inserts = edit.kind == kInsertRule || edit.kind == kInsertJump;
  const bool about_rule = words.object != "chain";
  const Family family = FamilyOf(table);
  std::string command =
      family == Family::kIpv6 ? "ip6tables-legacy -t " : "iptables-legacy -t ";
  command.append(XtTableName(table)).append(" ").append(words.option);
  Append(command, is_jump ? std::string(XtHookName(edit.hook)) : edit.chain);
  if (inserts || (about_rule && !HasWords(edit.rule))) {
    Append(command, std::to_string(edit.position + 1));
  }
  if (inserts || (about_rule && HasWords(edit.rule))) {
    Append(command, RenderChainRule(edit.rule, family));
  }
  return {words.sign, std::move(command), edit.reason,
          std::string(words.object), edit.cause};
}

}  // namespace uplinkd
