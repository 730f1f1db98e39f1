// FakeKernel: a kernel in memory, for tests of everything above the edge.
//
// It starts with the kernel's three default ip rules, refuses what the kernel
// refuses, lets routes die with their link or source address without a word,
// records every call, and fails or dies at the call that a test names. At each
// write it watches that no mark is set that leads nowhere (broken_promises).
#ifndef UPLINKD_TESTS_CORE_FAKE_KERNEL_H_
#define UPLINKD_TESTS_CORE_FAKE_KERNEL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/kernel.h"
#include "tests/core/fake_xtables.h"

namespace uplinkd {

class FakeKernel : public Kernel {
 public:
  // Thrown out of Execute() where InterruptNth() kills the process.
  struct Killed {};

  FakeKernel();

  // ---- Kernel ----
  Result<Facts> ReadFacts(const FactsScope& scope) override;
  Result<State> Observe(const ObserveScope& scope) override;
  Result<ChainLook> LookAtChains() override;
  std::vector<Outcome> Execute(std::span<const Step> steps) override;

  // ---- the world, as everybody else may change it ----
  std::map<RouteKey, Route> routes;  // of all tables and owners
  std::vector<PolicyRule> rules;     // in order of priority
  std::map<XtTable, FakeXtable> tables;
  std::set<XtTable> missing_tables;  // the kernel was built without them

  // Changes links and addresses. Routes whose link or source address is gone
  // vanish.
  void SetHost(const Facts& host);
  const Facts& host() const { return host_; }
  void InsertRule(const PolicyRule& rule);  // as without NLM_F_EXCL
  // Replaces everything of ours, by other means than steps.
  void SetOurs(const State& ours);
  // Everything of ours, in every routing table.
  State Ours() const;
  // Everything that is not ours, with order and counters.
  struct Foreign {
    std::map<RouteKey, Route> routes;
    std::vector<PolicyRule> rules;
    std::map<XtTable, FakeXtable> tables;
    friend bool operator==(const Foreign&, const Foreign&) = default;
  };
  Foreign AllForeign() const;

  // ---- faults; writes count from 1 after the last call of these ----
  void FailNth(std::size_t n, const Error& error);       // nothing is changed
  void FailNthAfter(std::size_t n, const Error& error);  // it is done all the
                                                         // same
  void InterruptNth(std::size_t n);  // dies before the change
  void NoFaults();
  // The next read fails.
  std::optional<Error> read_error;
  // Runs once, just before the next write.
  std::function<void(FakeKernel&)> before_write;

  // ---- the record ----
  std::vector<std::string> calls;  // "facts", "observe", "look",
                                   // "execute 3"
  std::vector<Step> writes;        // every step that was tried
  // Marks that our chains set although no rule honours them, or no default or
  // floor route is behind it, because of a step of ours.
  std::vector<std::string> broken_promises;

 private:
  enum class Fault { kNone, kBefore, kAfter, kKill };

  Outcome ExecuteOne(const Step& step);
  Outcome Do(const PutRoute& put);
  Outcome Do(const RemoveRoute& remove);
  Outcome Do(const AddRule& add);
  Outcome Do(const RemoveRule& remove);
  Outcome Do(const EditXtTable& edit);
  std::optional<Error> Refuses(const Route& route) const;
  std::optional<Error> Refuses(const NextHop& hop) const;
  void SetFault(Fault fault, std::size_t n, const Error& error);
  using FamilyMark = std::pair<Family, Mark>;
  std::set<FamilyMark> MarksThatLeadNowhere() const;
  bool LeadsSomewhere(const Mark& mark, Family family) const;

  // Changes with anything in the tables.
  std::uint64_t ChainsVersion();

  Facts host_;
  bool ipv6_there_ = false;  // what the last look at IPv6 found
  std::map<XtTable, FakeXtable> seen_tables_;  // by ChainsVersion()
  std::uint64_t chains_version_ = 0;
  Fault fault_ = Fault::kNone;
  std::size_t fault_at_ = 0;
  std::size_t writes_since_fault_set_ = 0;
  Error fault_error_;
};

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_CORE_FAKE_KERNEL_H_
