// Generations on the command line.
#ifndef UPLINKD_CLI_GENERATION_H_
#define UPLINKD_CLI_GENERATION_H_

#include <CLI/CLI.hpp>

namespace uplinkd {

// Refuses what is no whole number from 1 on. To the agent 0 means that none was
// named, which is said by leaving the option out.
CLI::Validator IsGeneration();

}  // namespace uplinkd

#endif  // UPLINKD_CLI_GENERATION_H_
