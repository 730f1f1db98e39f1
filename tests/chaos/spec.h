// ChaosSpec: a spec over the lines of the lab, and what it means for a new
// connection.
//
// Random ones are valid, each with another revision. What a new connection may
// get is said here by the words of docs/spec.md, with no code of the product.
#ifndef UPLINKD_TESTS_CHAOS_SPEC_H_
#define UPLINKD_TESTS_CHAOS_SPEC_H_

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/core/generators.h"

namespace uplinkd::chaos {

using Random = testing::Random;
// Lines by their number, from 1.
using Lines = std::set<std::size_t>;

inline constexpr std::size_t kLines = 4;

struct ChaosPolicy {
  std::string name;  // "": spec.balance
  std::string algorithm;
  // Empty: one tier of all uplinks.
  std::vector<std::vector<std::size_t>> tiers;
  std::string last_resort;
  bool cuts_on_failover = true;
  bool cuts_on_failback = false;
  std::string affinity = "none";
};

struct ChaosUplink {
  std::size_t line = 1;
  bool learns = true;  // address and gateway
  std::string nat = "snat";
  std::string state = "enabled";
  bool probed = false;
  int megabits = 10;
  int weight = 0;  // 0: none
};

// A connection from the lab's second client goes by this; from the first one by
// spec.balance.
struct ChaosRule {
  std::string use = "balance";
  bool is_uplink = false;
};

class ChaosSpec {
 public:
  // Uplinks on `silent` lines, dead ones with a carrier, are always probed.
  static ChaosSpec Make(Random& random, int revision, const Lines& silent);

  std::string Text() const;  // YAML

  const std::string& revision() const { return revision_; }
  const std::vector<ChaosUplink>& uplinks() const { return uplinks_; }
  const ChaosUplink* Find(std::size_t line) const;  // null: not in the spec

  // Whether the uplink of a line could carry connections if the line does.
  bool Carries(std::size_t line) const;
  bool CutsOnFailback() const;  // some policy does
  // Every policy agrees that the connections of this uplink are cut when it is
  // lost, and in each of them one of `others` can take them over.
  bool CutsOnFailover(std::size_t line, const Lines& others) const;
  // Rules or shares of it follow from what is measured.
  bool FollowsMeasurements() const;
  bool Probes(std::size_t line) const;
  // The routing table of an uplink, or of one that might be.
  std::size_t TableOf(std::size_t line) const { return base_ + line; }

  // The uplinks that may carry a new connection of the first client, or of the
  // second, if those of `ready` can take new ones. Empty: the last resort.
  Lines ChoiceOfFirst(const Lines& ready) const;
  Lines ChoiceOfSecond(const Lines& ready) const;

 private:
  void AddUplinks(Random& random, const Lines& silent);
  ChaosPolicy MakePolicy(Random& random, const std::string& name) const;
  bool EveryPolicy(const std::function<bool(const ChaosPolicy&)>& holds) const;
  Lines ChoiceOf(const ChaosPolicy& policy, const Lines& ready) const;
  std::string TextOf(const ChaosPolicy& policy, bool list_item) const;
  std::string TextOfTraffic() const;

  std::string revision_;
  std::size_t base_ = 10;
  std::vector<ChaosUplink> uplinks_;
  ChaosPolicy balance_;
  std::vector<ChaosPolicy> policies_;
  ChaosRule rule_;
  int other_rules_ = 0;  // that no connection of the lab matches
  std::string local_ = "main";
};

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_SPEC_H_
