// kill -9 at every write of an apply, against the real kernel: the next agent
// brings the kernel to the spec, and foreign state does not move a byte.
//
// A first run under strace finds the writes: which thread's how-many-th call
// of which system call. Then the agent is run once for each of them, and
// strace kills it at the entry of that call, before the kernel acts on it.
#include <fstream>
#include <map>
#include <sstream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

struct KillPoint {
  std::string call;  // "sendmsg"
  int ordinal = 0;   // of that thread's calls
};

// Lines of strace: "1234  sendmsg(7, {..., nlmsg_type=RTM_NEWROUTE ...".
std::vector<KillPoint> FindWrites(const std::string& trace_file) {
  std::ifstream trace(trace_file);
  std::map<std::pair<std::string, std::string>, int> calls;
  std::vector<KillPoint> writes;
  std::string line;
  while (std::getline(trace, line)) {
    std::istringstream words(line);
    std::string thread;
    std::string rest;
    words >> thread >> rest;
    const std::size_t parenthesis = rest.find('(');
    // "<... sendmsg resumed>" is the second half of a call.
    if (parenthesis == std::string::npos) continue;
    const std::string call = rest.substr(0, parenthesis);
    const int ordinal = ++calls[{thread, call}];
    for (const char* write :
         {"RTM_NEW", "RTM_DEL", "SET_REPLACE", "SET_ADD_COUNTERS"}) {
      if (line.find(write) == std::string::npos) continue;
      writes.push_back({call, ordinal});
      break;
    }
  }
  return writes;
}

struct Change {
  const char* name;
  bool from_nothing = true;
  std::size_t writes = 0;  // at least
};

std::ostream& operator<<(std::ostream& stream, const Change& change) {
  return stream << change.name;
}

class Kill : public AgentLab, public testing::WithParamInterface<Change> {
 protected:
  RouterAgentOptions Options(const std::string& name,
                             std::vector<std::string> wrapper) const {
    return {.wrapper = std::move(wrapper),
            .arguments = {"--spec", spec_file_},
            .name = name};
  }

  // Back to where each run begins.
  void Reset() {
    ASSERT_NO_FATAL_FAILURE(StartAgent({.name = "reset"}));
    if (GetParam().from_nothing) {
      const Result<v1::CleanupResponse> cleaned = agent_->Cleanup();
      ASSERT_TRUE(cleaned) << cleaned.error().message;
    } else {
      ASSERT_NO_FATAL_FAILURE(
          Apply({.uplinks = 3, .algorithm = "multipath", .nat = "masquerade"}));
    }
    ASSERT_NO_FATAL_FAILURE(StopAgent());
  }

  void RunUntilInSync(const RouterAgentOptions& options) {
    ASSERT_NO_FATAL_FAILURE(StartAgent(options));
    ASSERT_NO_FATAL_FAILURE(WaitFor(InSync, std::chrono::seconds(20)));
    ASSERT_NO_FATAL_FAILURE(StopAgent());
  }

  void RunUntilKilled(const std::string& name, const KillPoint& point) {
    Result<std::unique_ptr<RouterAgent>> agent = RouterAgent::Launch(
        *lab_, Options(name, {"strace", "-D", "-f", "-o", "/dev/null", "-e",
                              "trace=" + point.call, "-e",
                              "inject=" + point.call + ":signal=KILL:when=" +
                                  std::to_string(point.ordinal)}));
    ASSERT_TRUE(agent) << agent.error().message;
    EXPECT_EQ((*agent)->process().Wait(std::chrono::seconds(20)), 128 + SIGKILL)
        << point.call << " " << point.ordinal << "\n"
        << (*agent)->Log();
  }

  std::string spec_file_;
};

TEST_P(Kill, AtEveryWriteConverges) {
  ASSERT_NO_FATAL_FAILURE(BuildLab({.lines = std::vector<Line>(3)}));
  ASSERT_NO_FATAL_FAILURE(AddForeign());
  spec_file_ = (lab_->directory() / "lab.yaml").string();
  std::ofstream(spec_file_)
      << LabSpec{.algorithm = "round-robin", .capacities = {7, 3}}.Text();
  ASSERT_NO_FATAL_FAILURE(Reset());
  const std::string trace = (lab_->directory() / "trace").string();
  ASSERT_NO_FATAL_FAILURE(
      RunUntilInSync(Options("traced", {"strace", "-D", "-f", "-o", trace, "-e",
                                        "trace=sendmsg,sendto,setsockopt"})));
  const std::string whole = OwnState(lab_->router());
  const std::string foreign = ForeignState(lab_->router(), Counters::kCompare);
  const std::vector<KillPoint> writes = FindWrites(trace);
  ASSERT_GE(writes.size(), GetParam().writes) << "no writes in " << trace;

  for (std::size_t i = 0; i < writes.size(); ++i) {
    SCOPED_TRACE("write " + std::to_string(i + 1) + " of " +
                 std::to_string(writes.size()));
    ASSERT_NO_FATAL_FAILURE(Reset());
    const std::string name = "killed" + std::to_string(i);
    ASSERT_NO_FATAL_FAILURE(RunUntilKilled(name, writes[i]));
    EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign);
    ASSERT_NO_FATAL_FAILURE(RunUntilInSync(Options(name, {})));
    EXPECT_EQ(OwnState(lab_->router()), whole);
    EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign);
  }
}

INSTANTIATE_TEST_SUITE_P(OfApply, Kill,
                         testing::Values(Change{"FromNothing", true, 4},
                                         Change{"FromAnotherSpec", false, 4}),
                         [](const auto& parameter) {
                           return parameter.param.name;
                         });

}  // namespace
}  // namespace uplinkd::lab
