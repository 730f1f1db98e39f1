// CommandLine: the verbs and options of uplinkctl as values, read from the
// parser itself, so that what is made of them (completion, the man page)
// cannot fall behind. Pure.
#ifndef UPLINKD_CLI_COMMAND_LINE_H_
#define UPLINKD_CLI_COMMAND_LINE_H_

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace uplinkd {

struct OptionText {
  std::vector<std::string> names;    // "-o", "--output"; none: positional
  std::string value;                 // "FILE"; "": it is a flag
  std::vector<std::string> choices;  // "table", "yaml" ..., if those are all
  std::string default_value;
  std::string description;
  bool required = false;

  bool takes_file() const { return value == "FILE"; }
};

struct VerbText {
  std::string name;  // of a verb; of the program itself
  std::string description;
  std::vector<OptionText> options;
  std::string footer;  // what --help prints behind the options
};

struct CommandLineText {
  VerbText program;  // with the options that every verb takes
  std::vector<VerbText> verbs;
};

// Leaves out what --help leaves out. An option that the program and each verb
// have (--help) is the program's alone.
CommandLineText DescribeCommandLine(const CLI::App& program);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_COMMAND_LINE_H_
