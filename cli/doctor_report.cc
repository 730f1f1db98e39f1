#include "cli/doctor_report.h"

#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <sstream>

#include "cli/message_text.h"
#include "reconciler/counted.h"

namespace uplinkd {
namespace {

Color ColorOf(Severity severity) {
  switch (severity) {
    case Severity::kNote: return Color::kDim;
    case Severity::kWarning: return Color::kYellow;
    case Severity::kError: return Color::kRed;
  }
  return Color::kNone;
}

std::string CountOf(const std::vector<Finding>& findings, Severity severity) {
  const auto count = std::count_if(
      findings.begin(), findings.end(),
      [&](const Finding& finding) { return finding.severity == severity; });
  return Counted(static_cast<std::uint64_t>(count), SeverityName(severity));
}

}  // namespace

void PrintFindings(const std::vector<Finding>& findings, const Screen& screen) {
  for (const Finding& finding : findings) {
    screen.out() << screen.Paint(ColorOf(finding.severity),
                                 SeverityName(finding.severity))
                 << ": " << finding.what << " [" << finding.id << "]\n"
                 << "  why: " << finding.why << '\n';
    if (!finding.mend.empty()) screen.out() << "  mend:\n";
    std::istringstream commands(finding.mend);
    for (std::string line; std::getline(commands, line);) {
      screen.out() << "    " << line << '\n';
    }
    screen.out() << '\n';
  }
  if (!AnythingToMend(findings)) {
    screen.out() << screen.Paint(Color::kGreen, "nothing to mend") << '\n';
    return;
  }
  screen.out() << CountOf(findings, Severity::kError) << ", "
               << CountOf(findings, Severity::kWarning) << ", "
               << CountOf(findings, Severity::kNote) << '\n';
}

std::string FindingsJson(const std::vector<Finding>& findings) {
  google::protobuf::Struct document;
  auto& list = *(*document.mutable_fields())["findings"].mutable_list_value();
  for (const Finding& finding : findings) {
    auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
    fields["severity"].set_string_value(
        std::string(SeverityName(finding.severity)));
    fields["id"].set_string_value(finding.id);
    fields["what"].set_string_value(finding.what);
    fields["why"].set_string_value(finding.why);
    fields["mend"].set_string_value(finding.mend);
  }
  return WriteJson(document, JsonStyle::kIndented);
}

bool AnythingToMend(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) {
                       return finding.severity != Severity::kNote;
                     });
}

}  // namespace uplinkd
