// Session: what every verb gets from the command line, and how a verb is run.
//
// A verb adds its options to the program and says, when it is chosen, what is
// to run. Only main() reads the command line and only it exits.
#ifndef UPLINKD_CLI_SESSION_H_
#define UPLINKD_CLI_SESSION_H_

#include <CLI/App.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/screen.h"
#include "proto/spec_reader.h"

namespace uplinkd {

enum class Format { kTable, kYaml, kJson };

struct Session {
  std::string address = "unix:///run/uplinkd/uplinkd.sock";
  ClientTls tls;
  std::chrono::milliseconds timeout{10000};
  ColorMode color = ColorMode::kAuto;

  Screen screen() const;
  Client client() const { return {address, timeout, tls}; }
};

// Set by the verb that the user chose.
using Chosen = std::function<ExitCode()>;

// Each adds one verb, or a few that belong together. `session` and `chosen`
// must outlive `program`.
void AddOfflineVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddSpecVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddPlanVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddConfirmVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddHistoryVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddStatusVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddTraceVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddCleanupVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddDrainVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddPauseVerbs(CLI::App& program, Session& session, Chosen& chosen);
void AddConnectionsVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddEventsVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddTopVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddDoctorVerb(CLI::App& program, Session& session, Chosen& chosen);
void AddAboutVerbs(CLI::App& program, Session& session, Chosen& chosen);

// ---- options that several verbs have ----

// -f FILE, one.
CLI::Option* AddFileOption(CLI::App& verb, std::string& file);
// -o, one of `formats`; the first is the default.
CLI::Option* AddFormatOption(CLI::App& verb, Format& format,
                             const std::vector<std::string>& formats);
// A duration with a unit, "250ms", "10s", "1m". `milliseconds` keeps its
// value where the option is not given.
CLI::Option* AddDurationOption(CLI::App& app, const std::string& flag,
                               std::chrono::milliseconds& value,
                               const std::string& description);

// ---- what several verbs do ----

// The spec in `file`. Nothing, with every fault on the screen, if there is
// none that can be read or it has violations: an agent would refuse it as well,
// but its answer has no room for more than some dozens of them.
std::optional<SpecFile> LoadSpec(const std::string& file, const Screen& screen);
// The same, as the core has it.
std::optional<Spec> LoadValidSpec(const std::string& file,
                                  const Screen& screen);

void PrintFaults(const std::vector<SpecFault>& faults, const Screen& screen);
// Prints the words of a failed call. Violations are placed in `file`, if the
// call was about one.
ExitCode PrintError(const CallError& error, const SpecFile* file,
                    const Screen& screen);
ExitCode PrintError(const std::string& message, const Screen& screen);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_SESSION_H_
