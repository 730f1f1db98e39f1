#include "reconciler/linux/netlink_steps.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "reconciler/linux/link.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/rule.h"
#include "reconciler/render.h"

namespace uplinkd {
namespace {

// Requests that go out together, each for one step.
class Round {
 public:
  void Add(std::size_t step, NlRequest request) {
    steps_.push_back(step);
    requests_.push_back(std::move(request));
  }

  // Calls `answered(step, error)` for each, in order; no error: it was done.
  template <typename Answered>
  void Run(NlSocket& socket, const Answered& answered) {
    const std::vector<std::optional<Error>> answers = socket.Write(requests_);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      answered(steps_[i], answers[i]);
    }
  }

 private:
  std::vector<std::size_t> steps_;
  std::vector<NlRequest> requests_;
};

// How a route takes the place of one of ours. In IPv4 the new one is put behind
// the old one before that goes, so that a foreign one which has taken the place
// meanwhile is never replaced.
RouteOperation OperationFor(const PutRoute& put) {
  if (!put.replaces) return RouteOperation::kCreate;
  return put.route.key.destination.family() == Family::kIpv4
             ? RouteOperation::kAppend
             : RouteOperation::kReplace;
}

// What became of a step that the kernel (or an encoder) refused. `command` is
// what a person would have typed.
Outcome Refused(std::string_view command, std::string_view object,
                Error error) {
  error.message =
      std::string(command) + " " + std::string(object) + ": " + error.message;
  const bool conflict = error.code == ErrorCode::kAborted;
  return {conflict ? StepResult::kConflict : StepResult::kFailed,
          std::move(error)};
}

Outcome AfterPut(const PutRoute& put, const std::optional<Error>& error) {
  if (!error) return {};
  const std::string object = RenderRoute(put.route);
  // Replacing: the wanted route is there already, behind the old one.
  if (error->code == ErrorCode::kAlreadyExists && put.replaces) return {};
  Outcome outcome = Refused(put.replaces ? "ip route replace" : "ip route add",
                            object, *error);
  // Somebody was faster. The next observation says who.
  if (error->code == ErrorCode::kAlreadyExists) {
    outcome.result = StepResult::kConflict;
  }
  return outcome;
}

Outcome AfterRemove(std::string_view command, std::string_view object,
                    const std::optional<Error>& error) {
  if (!error) return {};
  if (error->code == ErrorCode::kNotFound) {
    return {StepResult::kAlreadySo, {}};
  }
  return Refused(command, object, *error);
}

// The steps of one call, and what became of them.
class RouteSteps {
 public:
  RouteSteps(NlSocket& socket, std::span<const Step> steps)
      : socket_(socket),
        names_(socket),
        steps_(steps),
        outcomes_(steps.size()) {}

  std::vector<Outcome> Execute() {
    PutAndRemove();
    RemoveReplaced();
    return std::move(outcomes_);
  }

 private:
  const PutRoute* PutOf(std::size_t step) const {
    return std::get_if<PutRoute>(&steps_[step].change);
  }

  void Settle(std::size_t step, const std::optional<Error>& error) {
    if (const PutRoute* put = PutOf(step)) {
      outcomes_[step] = AfterPut(*put, error);
      return;
    }
    const Route& route = std::get<RemoveRoute>(steps_[step].change).route;
    outcomes_[step] =
        AfterRemove("ip route del", error ? RenderRoute(route) : "", error);
  }

  void PutAndRemove() {
    Round round;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const PutRoute* put = PutOf(i);
      Result<NlRequest> request =
          put == nullptr
              ? EncodeRoute(RouteOperation::kRemove,
                            std::get<RemoveRoute>(steps_[i].change).route,
                            names_)
              : EncodeRoute(OperationFor(*put), put->route, names_);
      if (request) {
        round.Add(i, std::move(*request));
      } else {
        Settle(i, request.error());
      }
    }
    round.Run(socket_,
              [&](std::size_t step, const std::optional<Error>& error) {
                Settle(step, error);
              });
  }

  // The old routes of successful replacements go only now: a refused new one
  // must not take the working old one along.
  void RemoveReplaced() {
    Round round;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const PutRoute* put = PutOf(i);
      if (put == nullptr || OperationFor(*put) != RouteOperation::kAppend) {
        continue;
      }
      if (outcomes_[i].result != StepResult::kDone) continue;
      Result<NlRequest> request =
          EncodeRoute(RouteOperation::kRemove, *put->replaces, names_);
      // Not encodable: its link is gone, and the route with it.
      if (request) round.Add(i, std::move(*request));
    }
    round.Run(
        socket_, [&](std::size_t step, const std::optional<Error>& error) {
          const PutRoute& put = *PutOf(step);
          if (error && error->code == ErrorCode::kNotFound) {
            outcomes_[step] = AfterTakeover(put);
          } else if (error) {
            outcomes_[step] =
                Refused("ip route replace", RenderRoute(put.route), *error);
          }
        });
  }

  // The old route was not there any more. Either it was removed, and then the
  // new one stands alone; or somebody took its place, and then we give way.
  Outcome AfterTakeover(const PutRoute& put) {
    RouteFilter filter;
    filter.table = put.route.key.table;
    const Result<std::vector<Route>> routes =
        ReadRoutes(socket_, names_, filter);
    if (!routes) {
      return Refused("ip route replace", RenderRoute(put.route),
                     routes.error());
    }
    const bool taken = std::ranges::any_of(*routes, [&](const Route& route) {
      return route.key == put.route.key && route.protocol != kProtocol;
    });
    if (!taken) return {};
    Round round;
    if (Result<NlRequest> request =
            EncodeRoute(RouteOperation::kRemove, put.route, names_)) {
      round.Add(0, std::move(*request));
    }
    Outcome outcome = Refused(
        "ip route replace", RenderRoute(put.route),
        Error{ErrorCode::kAborted, "a foreign route has taken its place", 0});
    round.Run(socket_, [&](std::size_t, const std::optional<Error>& error) {
      if (!error || error->code == ErrorCode::kNotFound) return;
      outcome = Refused("ip route del", RenderRoute(put.route), *error);
    });
    return outcome;
  }

  NlSocket& socket_;
  LinkNames names_;
  std::span<const Step> steps_;
  std::vector<Outcome> outcomes_;
};

Outcome AfterRule(const Change& change, const std::optional<Error>& error) {
  if (!error) return {};
  if (const auto* add = std::get_if<AddRule>(&change)) {
    if (error->code == ErrorCode::kAlreadyExists) {
      return {StepResult::kAlreadySo, {}};
    }
    return Refused("ip rule add", RenderRule(add->rule), *error);
  }
  return AfterRemove("ip rule del",
                     RenderRule(std::get<RemoveRule>(change).rule), error);
}

}  // namespace

std::vector<Outcome> ExecuteRouteSteps(NlSocket& socket,
                                       std::span<const Step> steps) {
  return RouteSteps(socket, steps).Execute();
}

std::vector<Outcome> ExecuteRuleSteps(NlSocket& socket,
                                      std::span<const Step> steps) {
  std::vector<Outcome> outcomes(steps.size());
  Round round;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* add = std::get_if<AddRule>(&steps[i].change);
    round.Add(i, add != nullptr
                     ? EncodeRule(RuleOperation::kCreate, add->rule)
                     : EncodeRule(RuleOperation::kRemove,
                                  std::get<RemoveRule>(steps[i].change).rule));
  }
  round.Run(socket, [&](std::size_t step, const std::optional<Error>& error) {
    outcomes[step] = AfterRule(steps[step].change, error);
  });
  return outcomes;
}

}  // namespace uplinkd
