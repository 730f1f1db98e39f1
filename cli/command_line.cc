#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace uplinkd {
namespace {

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> pieces;
  std::istringstream stream(text);
  for (std::string piece; std::getline(stream, piece, separator);) {
    pieces.push_back(piece);
  }
  return pieces;
}

OptionText Describe(const CLI::Option& option) {
  OptionText text;
  for (const std::string& name : option.get_snames()) {
    text.names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    text.names.push_back("--" + name);
  }
  if (option.get_items_expected_max() > 0) {
    text.value = option.get_type_name();
    // CLI11's word for any string: the name says more.
    if (text.names.empty() && text.value == "TEXT") {
      text.value = option.get_name(true);
    }
  }
  if (text.value.find('|') != std::string::npos) {
    text.choices = Split(text.value, '|');
  }
  text.default_value = option.get_default_str();
  text.description = option.get_description();
  text.required = option.get_required();
  return text;
}

VerbText Describe(const CLI::App& app) {
  VerbText text;
  text.name = app.get_name();
  text.description = app.get_description();
  text.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) text.options.push_back(Describe(*option));
  }
  return text;
}

}  // namespace

CommandLineText DescribeCommandLine(const CLI::App& program) {
  CommandLineText text;
  text.program = Describe(program);
  for (const CLI::App* app : program.get_subcommands({})) {
    if (app->get_group().empty()) continue;
    VerbText verb = Describe(*app);
    std::erase_if(verb.options, [&](const OptionText& option) {
      return std::ranges::any_of(
          text.program.options, [&](const OptionText& shared) {
            return !option.names.empty() && shared.names == option.names;
          });
    });
    text.verbs.push_back(std::move(verb));
  }
  return text;
}

}  // namespace uplinkd
