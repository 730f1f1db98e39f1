// Writes seeds that need no kernel: the specs of examples/, each as a file, as
// an Apply request and in the files of the agent.
//
//   fuzz_pure_seeds EXAMPLES DIRECTORY
#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "agent/drain_ledger.h"
#include "agent/pause_ledger.h"
#include "agent/spec_history.h"
#include "agent/spec_store.h"
#include "agent/wire.h"
#include "proto/convert.h"
#include "proto/spec_reader.h"
#include "proto/spec_writer.h"

namespace uplinkd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::chrono::system_clock::time_point kNoon{seconds(1'795'780'800)};

class Seeds {
 public:
  explicit Seeds(std::string directory) : directory_(std::move(directory)) {}

  void Write(const std::string& target, const std::string& name,
             const std::string& content) const {
    const std::string folder = directory_ + "/" + target;
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/" + name, std::ios::binary) << content;
  }

  std::string Folder(const std::string& target) const {
    return directory_ + "/" + target;
  }

 private:
  std::string directory_;
};

v1::ApplyRequest RequestFor(const v1::Router& router) {
  v1::ApplyRequest request;
  *request.mutable_router() = router;
  request.set_expected_generation(7);
  request.mutable_confirm_within()->set_seconds(60);
  request.set_confirm_id("night");
  request.add_confirm_checks()->set_icmp("192.0.2.1");
  request.add_confirm_checks()->set_arp("gateway");
  return request;
}

void WriteSpec(const Seeds& seeds, const std::string& name,
               const std::string& text) {
  const auto file = ReadSpecText(text, name);
  if (!file) return;
  seeds.Write("spec_reader", name + ".yaml", text);
  seeds.Write("spec_reader", name + ".json", WriteSpecJson(file->router));
  seeds.Write("apply_request", name,
              RequestFor(file->router).SerializeAsString());
  StoredSpec stored;
  stored.generation = 8;
  stored.spec = AssignIds(SpecFromProto(file->router).spec, {});
  stored.ids = RememberIds({{"gone", 9}}, stored.spec);
  stored.origin = {kNoon, "client", "back to generation 5"};
  stored.pending = PendingConfirm{{"night", minutes(5), {ArpProbe{}}},
                                  Moment{kNoon, hours(2), "9a1f"},
                                  7,
                                  stored.spec};
  stored.held = stored.spec;
  const std::string sealed = EncodeStoredSpec(stored).value_or("");
  seeds.Write("state_files", name + ".sealed", sealed);
  // Whatever changes in a sealed file is refused as damage, and no more is seen
  // of it. The seal is the last member.
  seeds.Write("state_files", name, sealed.substr(0, sealed.rfind(',')) + "}");
}

template <typename Message>
void WriteMessage(const Seeds& seeds, const std::string& name,
                  const Message& message) {
  std::string text;
  (void)google::protobuf::util::MessageToJsonString(message, &text);
  seeds.Write("state_files", name, text);
}

// What the ledgers write, under their own names.
void WriteLedgers(const Seeds& seeds, const v1::Router& router) {
  const std::string folder = seeds.Folder("state_files");
  const Instant now{hours(1), {.wall = kNoon}};
  DrainLedger drains(folder);
  (void)drains.Add("wan1", minutes(10), now);
  (void)drains.Add("wan2", std::nullopt, now);
  PauseLedger pause(folder);
  (void)pause.Begin(hours(1), "client", "a new modem", now);
  StoredSpec stored;
  stored.generation = 3;
  stored.spec = AssignIds(SpecFromProto(router).spec, {});
  stored.origin = {kNoon, "/etc/uplinkd/spec.yaml", ""};
  SpecHistory history(folder);
  (void)history.Note(stored);
  v1::EventHistory events;
  v1::Event& event = *events.add_events();
  *event.mutable_time() = ToProto(kNoon);
  event.set_trigger("spec");
  event.set_result("changed");
  for (const char* command : {"ip route add", "ip rule add"}) {
    v1::PlanLine& line = *event.add_plan();
    line.set_sign("+");
    line.set_command(command);
    line.set_reason("missing");
  }
  WriteMessage(seeds, "events.json", events);
  seeds.Write("state_files", "roles.yaml",
              "roles:\n  ops.example.net: operator\n  g.example: reader\n");
}

}  // namespace
}  // namespace uplinkd

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fuzz_pure_seeds EXAMPLES DIRECTORY\n");
    return 2;
  }
  const uplinkd::Seeds seeds(argv[2]);
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    uplinkd::WriteSpec(seeds, entry.path().stem(), text);
    const auto read = uplinkd::ReadSpecText(text, "");
    if (read && entry.path().stem() == "two-uplinks") {
      uplinkd::WriteLedgers(seeds, read->router);
    }
  }
  return 0;
}
