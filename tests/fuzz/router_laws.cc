#include "tests/fuzz/router_laws.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>

#include "proto/convert.h"
#include "proto/spec_writer.h"
#include "tests/fuzz/require.h"

namespace uplinkd::testing {
namespace {

constexpr const char* kFile = "f";

bool FitsOneLine(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != '\x7f';
  });
}

void RequireReads(const std::string& text, const v1::Router& router) {
  const auto read = ReadSpecText(text, kFile);
  if (!read) {
    Require(false, "the reader reads what the writer wrote",
            RenderFault(read.error().front()) + "\n" + text);
  }
  Require(SameMessage(read->router, router),
          "the reader reads the message that was written", text);
}

}  // namespace

bool SameMessage(const google::protobuf::Message& a,
                 const google::protobuf::Message& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

void RequireFaults(const std::vector<SpecFault>& faults,
                   std::string_view text) {
  Require(!faults.empty(), "a refusal has a fault");
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  for (const SpecFault& fault : faults) {
    const std::string words = RenderFault(fault);
    Require(!fault.message.empty() && FitsOneLine(words),
            "a fault is one line of text", words);
    Require(fault.position.line >= 1 && fault.position.column >= 1 &&
                fault.position.line <= lines &&
                fault.position.column <= static_cast<int>(text.size()) + 1,
            "a fault has its place in the text", words);
  }
}

void RequireViolations(const std::vector<Violation>& violations) {
  for (const Violation& violation : violations) {
    Require(FitsOneLine(violation.message), "a violation is one line of text",
            violation.field + ": " + violation.message);
  }
}

void RequireReadsBack(const v1::Router& router) {
  RequireReads(WriteSpecYaml(router), router);
  RequireReads(WriteSpecJson(router), router);
}

void RequireConvertsBack(const Spec& spec) {
  const std::vector<Violation> own = Validate(spec);
  if (!own.empty()) {
    Require(false, "an accepted spec is valid",
            own.front().field + ": " + own.front().message);
  }
  const v1::Router router = SpecToProto(spec);
  const Converted again = SpecFromProto(router);
  if (!again.violations.empty()) {
    const Violation& first = again.violations.front();
    Require(false, "the message of a valid spec is accepted",
            first.field + ": " + first.message + "\n" + router.DebugString());
  }
  Require(again.spec == spec, "the message of a spec means that spec",
          router.DebugString());
  RequireReadsBack(router);
}

}  // namespace uplinkd::testing
