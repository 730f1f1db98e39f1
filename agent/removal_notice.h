// RemovalNotice: a Kernel that says so before it takes away a mark's rule.
//
// Without its rule, packets of a connection that still has the mark would
// leave by main's default route, with the source address of another line: what
// is to become of such connections must be done before. By then no new
// connection gets the mark, since ExecutePlan() skips the removal otherwise.
#ifndef UPLINKD_AGENT_REMOVAL_NOTICE_H_
#define UPLINKD_AGENT_REMOVAL_NOTICE_H_

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "reconciler/kernel.h"
#include "reconciler/mark.h"

namespace uplinkd {

class RemovalNotice final : public Kernel {
 public:
  using Handler = std::function<void(const std::vector<Mark>&)>;

  // `kernel` must outlive it; it does all the work.
  RemovalNotice(Kernel& kernel, Handler before_removal)
      : kernel_(kernel), before_removal_(std::move(before_removal)) {}

  Result<Facts> ReadFacts(const FactsScope& scope) override {
    return kernel_.ReadFacts(scope);
  }
  Result<State> Observe(const ObserveScope& scope) override {
    return kernel_.Observe(scope);
  }
  Result<ChainLook> LookAtChains() override { return kernel_.LookAtChains(); }
  std::vector<Outcome> Execute(std::span<const Step> steps) override;
  KernelCosts costs() const override { return kernel_.costs(); }

 private:
  Kernel& kernel_;
  Handler before_removal_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_REMOVAL_NOTICE_H_
