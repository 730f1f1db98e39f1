#include "cli/plan_text.h"

#include <cstddef>

namespace uplinkd {
namespace {

Color ColorOf(const std::string& sign) {
  if (sign == "+") return Color::kGreen;
  if (sign == "-") return Color::kRed;
  return Color::kYellow;
}

}  // namespace

AsItIs OneLine(const v1::PlanLine& line, const Screen& screen) {
  AsItIs painted =
      screen.Paint(ColorOf(line.sign()), line.sign() + " " + line.command());
  if (!line.reason().empty()) {
    painted.text += screen.Paint(Color::kDim, "  # " + line.reason()).text;
  }
  return painted;
}

void PrintPlan(const PlanLines& plan, const Screen& screen) {
  for (const v1::PlanLine& line : plan) {
    screen.out() << OneLine(line, screen) << '\n';
    if (line.result().empty() || line.result() == "done") continue;
    const Color color =
        line.result() == "failed" ? Color::kRed : Color::kYellow;
    const std::string words = line.error().empty() ? "" : ": " + line.error();
    screen.out() << "    " << screen.Paint(color, line.result() + words)
                 << '\n';
  }
}

std::string CountChanges(const PlanLines& plan) {
  std::size_t created = 0;
  std::size_t replaced = 0;
  std::size_t removed = 0;
  for (const v1::PlanLine& line : plan) {
    if (line.sign() == "+") {
      ++created;
    } else if (line.sign() == "-") {
      ++removed;
    } else {
      ++replaced;
    }
  }
  std::string text;
  const auto add = [&text](std::size_t count, const std::string& what) {
    if (count == 0) return;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  add(created, "created");
  add(replaced, "replaced");
  add(removed, "removed");
  return text.empty() ? "nothing to do" : text;
}

std::string CountDryRun(const PlanLines& plan) {
  if (plan.empty()) return "dry run: nothing to do";
  return "dry run, nothing was done; it would be: " + CountChanges(plan);
}

}  // namespace uplinkd
