// The arguments of a program, made ready for CLI11, which both programs have.
//
// CLI11 takes "--name=" for an option without a value, which is then the next
// argument, whatever that is. Here it means what it says: the value is empty.
#ifndef UPLINKD_PROTO_ARGUMENTS_H_
#define UPLINKD_PROTO_ARGUMENTS_H_

#include <span>
#include <string>
#include <vector>

namespace uplinkd {

// A stack, as CLI11 parses it: the last argument first. `arguments` are without
// the program's name. A value that looks like "--name=" itself has to be given
// as "--option=--name=". Pure.
std::vector<std::string> ArgumentStack(std::span<const char* const> arguments);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_ARGUMENTS_H_
