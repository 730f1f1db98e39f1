#include "tests/chaos/chaos.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace uplinkd::chaos {
namespace {

constexpr std::size_t kKeptActions = 40;
// Fewer than the agent remembers, so that each can be returned to.
constexpr std::size_t kKeptSpecs = 8;

}  // namespace

Result<std::unique_ptr<Chaos>> Chaos::Create(std::uint64_t seed) {
  std::unique_ptr<Chaos> chaos(new Chaos(seed));
  Result<std::unique_ptr<World>> world = World::Create();
  if (!world) return tl::unexpected(world.error());
  chaos->world_ = std::move(*world);
  lab::Lab& lab = chaos->world_->lab();
  Result<std::unique_ptr<lab::TrafficServer>> server =
      lab::TrafficServer::Start(lab.server());
  if (!server) return tl::unexpected(server.error());
  chaos->server_ = std::move(*server);
  Result<std::unique_ptr<lab::TrafficServer>> service =
      lab::TrafficServer::Start(lab.client());
  if (!service) return tl::unexpected(service.error());
  chaos->client_service_ = std::move(*service);
  chaos->processes_ = std::make_unique<RouterProcesses>(
      *chaos->world_, [chaos = chaos.get()](const std::string& words) {
        chaos->Violate(words);
      });
  chaos->spec_ = chaos->NewSpec();
  chaos->processes_->SetFile(chaos->spec_.Text());
  if (chaos->processes_->Agent() == nullptr ||
      chaos->processes_->MirrorAgent() == nullptr) {
    return Fail(ErrorCode::kInternal, chaos->violations_.front());
  }
  chaos->talks_ = std::make_unique<Talks>();
  chaos->callers_ = std::make_unique<Callers>(lab.client());
  return chaos;
}

ChaosSpec Chaos::NewSpec() {
  return ChaosSpec::Make(random_, ++specs_made_, world_->Silent());
}

void Chaos::Follow(const ChaosSpec& spec) {
  FollowForAWhile(spec);
  std::erase_if(earlier_, [&](const ChaosSpec& other) {
    return other.revision() == spec_.revision() ||
           other.revision() == spec.revision();
  });
  earlier_.push_front(std::exchange(spec_, spec));
  if (earlier_.size() > kKeptSpecs) earlier_.pop_back();
  processes_->SetFile(spec_.Text());
}

void Chaos::FollowForAWhile(const ChaosSpec& spec) {
  effects_.specs.push_back(spec);
  std::erase_if(drains_, [&](const auto& drain) {
    return spec.Find(drain.first) == nullptr;
  });
}

Lines Chaos::CarryingUnder(const ChaosSpec& spec) const {
  Lines carrying;
  for (const ChaosUplink& uplink : spec.uplinks()) {
    if (uplink.state != "disabled" && world_->Works(uplink)) {
      carrying.insert(uplink.line);
    }
  }
  return carrying;
}

Lines Chaos::ReadyUnder(const ChaosSpec& spec) const {
  Lines ready = CarryingUnder(spec);
  for (const ChaosUplink& uplink : spec.uplinks()) {
    if (uplink.state != "enabled" || drains_.contains(uplink.line)) {
      ready.erase(uplink.line);
    }
  }
  return ready;
}

Lines Chaos::SilentlyDead() const {
  Lines dead;
  for (const ChaosUplink& uplink : spec_.uplinks()) {
    const LineState& line = world_->line(uplink.line);
    if (line.dead && line.Linked() && !uplink.probed) dead.insert(uplink.line);
  }
  return dead;
}

void Chaos::Say(const std::string& action) {
  actions_.push_back("round " + std::to_string(round_) + ": " + action);
  if (actions_.size() > kKeptActions) actions_.pop_front();
  if (!verbose_) return;
  std::printf("%s\n", actions_.back().c_str());
  std::fflush(stdout);
}

void Chaos::Violate(const std::string& words) {
  violations_.push_back(words);
}

void Chaos::BeginRound() {
  ++round_;
  effects_ = {};
  effects_.specs.push_back(spec_);
  effects_.served = !spec_.ChoiceOfFirst(Ready()).empty();
  effects_.wrong_sources = world_->lab().WrongSources();
}

std::vector<std::string> Chaos::TakeViolations() {
  for (const std::string& fault : world_->TakeFaults()) {
    violations_.push_back("a script of the test fails: " + fault);
  }
  return std::exchange(violations_, {});
}

}  // namespace uplinkd::chaos
