// Completion: scripts that let a shell complete the command line of uplinkctl.
//
// Verbs, options, and the values of an option where they are few; files where
// a file is wanted. A script asks no agent. Pure.
#ifndef UPLINKD_CLI_COMPLETION_H_
#define UPLINKD_CLI_COMPLETION_H_

#include <string>

#include "cli/command_line.h"

namespace uplinkd {

std::string BashCompletion(const CommandLineText& text);
std::string ZshCompletion(const CommandLineText& text);
std::string FishCompletion(const CommandLineText& text);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_COMPLETION_H_
