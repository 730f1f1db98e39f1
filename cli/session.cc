#include "cli/session.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <map>

#include "proto/convert.h"

namespace uplinkd {

Screen Session::screen() const {
  return {std::cout, std::cerr, WantsColor(color, STDOUT_FILENO)};
}

CLI::Option* AddFileOption(CLI::App& verb, std::string& file) {
  return verb.add_option("-f,--file", file, "The spec; - is standard input")
      ->type_name("FILE");
}

CLI::Option* AddFormatOption(CLI::App& verb, Format& format,
                             const std::vector<std::string>& formats) {
  static const std::map<std::string, Format> by_name = {
      {"table", Format::kTable},
      {"yaml", Format::kYaml},
      {"json", Format::kJson}};
  std::string list;
  for (const std::string& name : formats) {
    list += (list.empty() ? "" : "|") + name;
  }
  format = by_name.at(formats.front());
  return verb
      .add_option_function<std::string>(
          "-o,--output",
          [&format](const std::string& name) { format = by_name.at(name); },
          "How to print it")
      ->check(CLI::IsMember(formats).description(""))
      ->type_name(list)
      ->default_str(formats.front());
}

CLI::Option* AddDurationOption(CLI::App& app, const std::string& flag,
                               std::chrono::milliseconds& value,
                               const std::string& description) {
  static const std::map<std::string, double> units = {
      {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  const CLI::Validator unit =
      CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED);
  return app
      .add_option_function<double>(
          flag,
          [&value](double milliseconds) {
            value = std::chrono::milliseconds(std::llround(milliseconds));
          },
          description)
      ->transform(unit.description(""))
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("DURATION")
      ->default_str(std::to_string(value.count() / 1000) + "s");
}

std::optional<SpecFile> LoadSpec(const std::string& file,
                                 const Screen& screen) {
  auto spec = ReadSpecFile(file);
  if (!spec) {
    PrintFaults(spec.error(), screen);
    return std::nullopt;
  }
  const Converted converted = SpecFromProto(spec->router);
  if (converted.violations.empty()) return std::move(*spec);
  PrintFaults(Locate(*spec, converted.violations), screen);
  return std::nullopt;
}

std::optional<Spec> LoadValidSpec(const std::string& file,
                                  const Screen& screen) {
  const auto spec_file = LoadSpec(file, screen);
  if (!spec_file) return std::nullopt;
  return SpecFromProto(spec_file->router).spec;
}

void PrintFaults(const std::vector<SpecFault>& faults, const Screen& screen) {
  for (const SpecFault& fault : faults) {
    screen.err() << RenderFault(fault) << '\n';
  }
}

ExitCode PrintError(const CallError& error, const SpecFile* file,
                    const Screen& screen) {
  if (file != nullptr && !error.violations.empty()) {
    PrintFaults(Locate(*file, error.violations), screen);
    return error.exit_code;
  }
  screen.err() << "uplinkctl: " << error.message << '\n';
  for (const Violation& violation : error.violations) {
    screen.err() << violation.field << ": " << violation.message << '\n';
  }
  return error.exit_code;
}

ExitCode PrintError(const std::string& message, const Screen& screen) {
  return PrintError(CallError{ExitCode::kRefused, message, {}}, nullptr,
                    screen);
}

}  // namespace uplinkd
