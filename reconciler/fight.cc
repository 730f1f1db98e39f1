#include "reconciler/fight.h"

#include <set>
#include <variant>

namespace uplinkd {
namespace {

std::string Ip6(Family family) {
  return family == Family::kIpv6 ? "IPv6 " : "";
}

std::string NameOf(const Route& route) {
  const Prefix& destination = route.key.destination;
  std::string name =
      Ip6(destination.family()) + "route " +
      (destination.IsDefault() ? "default" : destination.ToString());
  if (route.key.metric != 0) {
    name += " metric " + std::to_string(route.key.metric);
  }
  return name + " in table " + std::to_string(route.key.table);
}

std::string NameOf(const PolicyRule& rule) {
  return Ip6(rule.family) + "rule " + std::to_string(rule.priority) +
         " for table " + std::to_string(rule.table);
}

std::string NameOf(const ChainEdit& edit, XtTable table) {
  const bool jump = edit.kind == ChainEdit::Kind::kInsertJump ||
                    edit.kind == ChainEdit::Kind::kDeleteJump;
  return (jump ? "jump from " + std::string(XtHookName(edit.hook))
               : "chain " + edit.chain) +
         " in " + std::string(XtTableTitle(table));
}

struct Namer {
  std::set<std::string> names;

  void operator()(const PutRoute& put) { names.insert(NameOf(put.route)); }
  void operator()(const RemoveRoute& remove) {
    names.insert(NameOf(remove.route));
  }
  void operator()(const AddRule& add) { names.insert(NameOf(add.rule)); }
  void operator()(const RemoveRule& remove) {
    names.insert(NameOf(remove.rule));
  }
  void operator()(const EditXtTable& edit) {
    for (const ChainEdit& one : edit.edits) {
      names.insert(NameOf(one, edit.table));
    }
  }
};

}  // namespace

std::vector<std::string> ObjectsOf(const Step& step) {
  Namer namer;
  std::visit(namer, step.change);
  return {namer.names.begin(), namer.names.end()};
}

void FightDetector::Note(const Plan& plan, const std::vector<Outcome>& outcomes,
                         Time now) {
  std::erase_if(objects_,
                [&](const auto& object) { return Over(object.second, now); });
  std::set<std::string> repaired;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].result != StepResult::kDone) continue;
    for (std::string& name : ObjectsOf(plan.steps[i])) {
      repaired.insert(std::move(name));
    }
  }
  for (const std::string& name : repaired) NoteObject(name, now);
}

void FightDetector::NoteObject(const std::string& name, Time now) {
  Repairs& repairs = objects_[name];
  repairs.recent.push_back(now);
  while (repairs.recent.front() < now - options_.window ||
         repairs.recent.size() > options_.slowed_after) {
    repairs.recent.pop_front();
  }
  repairs.named =
      repairs.named || repairs.recent.size() >= options_.named_after;
  repairs.slowed =
      repairs.slowed || repairs.recent.size() >= options_.slowed_after;
}

std::vector<std::string> FightDetector::Contested(Time now) const {
  std::vector<std::string> names;
  for (const auto& [name, repairs] : objects_) {
    if (repairs.named && !Over(repairs, now)) names.push_back(name);
  }
  return names;
}

bool FightDetector::SlowDown(Time now) const {
  for (const auto& [name, repairs] : objects_) {
    if (repairs.slowed && !Over(repairs, now)) return true;
  }
  return false;
}

bool FightDetector::Over(const Repairs& repairs, Time now) const {
  return repairs.recent.back() < now - options_.over_after;
}

}  // namespace uplinkd
