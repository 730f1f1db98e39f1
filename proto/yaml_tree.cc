#include "proto/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <utility>

#include "proto/text_check.h"

namespace uplinkd {
namespace {

constexpr const char* kNoAnchors =
    "has an anchor or an alias, which a spec cannot hold; write the value out";

Position ToPosition(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

SpecFault Fault(Position position, std::string message) {
  return {.file = "",
          .position = position,
          .field = "",
          .message = std::move(message)};
}

// Builds the tree of one document from the library's events.
class TreeBuilder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    start_ = ToPosition(mark);
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(NewNode(YamlNode::Kind::kNull, mark, "", anchor));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(NewNode(YamlNode::Kind::kNull, mark, "", anchor));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    YamlNode node = NewNode(YamlNode::Kind::kScalar, mark, tag, anchor);
    node.text = value;
    Add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Push(NewNode(YamlNode::Kind::kSequence, mark, tag, anchor));
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Push(NewNode(YamlNode::Kind::kMap, mark, tag, anchor));
  }
  void OnMapEnd() override { Close(); }

  Position start() const { return start_; }
  Position last() const { return last_; }
  std::optional<YamlNode> TakeRoot() { return std::move(root_); }

 private:
  // A sequence or map whose end has not come yet.
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key;  // of a map: read, its value not yet
  };

  YamlNode NewNode(YamlNode::Kind kind, const YAML::Mark& mark,
                   const std::string& tag, YAML::anchor_t anchor) {
    YamlNode node;
    node.kind = kind;
    node.position = last_ = ToPosition(mark);
    // "?" and "!" are how the library says plain and quoted.
    if (!tag.empty() && tag != "?" && tag != "!") {
      node.fault = "has the tag " + tag + ", which a spec cannot hold";
    }
    if (anchor != YAML::NullAnchor) node.fault = kNoAnchors;
    return node;
  }

  void Push(YamlNode node) { open_.push_back({std::move(node), {}}); }

  void Close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Add(std::move(node));
  }

  void Add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kSequence) {
      parent.node.children.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      AddEntry(parent, std::move(node));
    }
  }

  static void AddEntry(Open& parent, YamlNode value) {
    YamlNode key = *std::exchange(parent.key, std::nullopt);
    value.key = std::move(key.text);
    value.key_position = key.position;
    if (!key.fault.empty()) {
      value.fault = std::move(key.fault);
    } else if (key.kind != YamlNode::Kind::kScalar) {
      value.fault = "has a key that is not a word";
    }
    parent.node.children.push_back(std::move(value));
  }

  Position start_;
  Position last_{1, 1};
  std::vector<Open> open_;
  std::optional<YamlNode> root_;
};

// The library's words, and ours for the person who has to mend the file.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kWords =
    {{
        {"illegal map value",
         "a ':' is where no value can be; check the indentation and the "
         "quotes of this line and the one before"},
        {"illegal block entry", "a '-' is where no list item can be"},
        {"end of map not found",
         "this belongs to no map above it; check the indentation and the "
         "quotes"},
        {"end of sequence not found",
         "this belongs to no list above it; check the indentation and the "
         "quotes"},
        {"end of map flow not found", "a ',' or '}' is missing before this"},
        {"end of sequence flow not found",
         "a ',' or ']' is missing before this"},
        {"illegal flow end", "a ']' or '}' closes nothing"},
        {"the referenced anchor is not defined",
         "an alias ('*') is where none can be; quote the text"},
    }};

std::string InOurWords(const std::string& message) {
  for (const auto& [theirs, ours] : kWords) {
    if (message.starts_with(theirs)) return std::string(ours);
  }
  return message;
}

// The tab in the indentation of line `line`, if it has one.
std::optional<Position> FindIndentingTab(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos || text[first] != '\t') {
    return std::nullopt;
  }
  return Position{line, static_cast<int>(first) + 1};
}

// Behind the last character. The library gives the end of the text a wrong
// column.
Position EndOf(std::string_view text) {
  const auto breaks = std::count(text.begin(), text.end(), '\n');
  const std::size_t line = text.find_last_of('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(breaks) + 1,
          static_cast<int>(text.size() - line) + 1};
}

// `last`: where the last thing stands that was understood.
SpecFault SyntaxFault(std::string_view text, const YAML::Exception& error,
                      Position last) {
  if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) {
    return Fault(last, "a quote that opens after this is not closed");
  }
  // What the library says where it gives up on the depth.
  if (error.msg == YAML::ErrorMsg::BAD_FILE) {
    return Fault(last, "this is nested too deeply for a spec");
  }
  const bool at_end = error.mark.pos >= static_cast<int>(text.size());
  const Position position = at_end ? EndOf(text) : ToPosition(error.mark);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && text[first] == '{';
  if (!json) {
    const auto tab = FindIndentingTab(text, position.line);
    if (tab) return Fault(*tab, "a tab indents this line; use spaces");
  }
  return Fault(position, InOurWords(error.msg));
}

}  // namespace

tl::expected<YamlNode, SpecFault> ParseYaml(std::string_view text) {
  if (auto fault = CheckText(text)) return tl::unexpected(*std::move(fault));
  // The library takes a line break before the end for the end of a quote.
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  TreeBuilder first;
  TreeBuilder second;
  bool several = false;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(first);
    several = parser.HandleNextDocument(second);
  } catch (const YAML::Exception& error) {
    return tl::unexpected(SyntaxFault(text, error, first.last()));
  }
  if (several) {
    return tl::unexpected(
        Fault(second.start(),
              "a second document begins here; a file holds one spec"));
  }
  std::optional<YamlNode> root = first.TakeRoot();
  if (!root || root->kind == YamlNode::Kind::kNull) {
    SpecFault fault = Fault({1, 1},
                            "there is no spec in this file; it begins with "
                            "apiVersion: uplinkd/v1");
    fault.no_spec = true;
    return tl::unexpected(std::move(fault));
  }
  return *std::move(root);
}

}  // namespace uplinkd
