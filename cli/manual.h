// Manual: the man page uplinkctl(1), made of the command line itself. Pure.
#ifndef UPLINKD_CLI_MANUAL_H_
#define UPLINKD_CLI_MANUAL_H_

#include <string>

#include "cli/command_line.h"

namespace uplinkd {

// In man(7).
std::string ManualPage(const CommandLineText& text);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_MANUAL_H_
