#include "cli/manual.h"

#include <sstream>
#include <string_view>

namespace uplinkd {
namespace {

// As troff shall print it: no character of `text` means anything to it.
std::string Plain(std::string_view text) {
  std::string plain;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) plain += "\\&";
    line_begins = c == '\n';
    switch (c) {
      case '\\': plain += "\\e"; break;
      case '-': plain += "\\-"; break;
      case '\'': plain += "\\(aq"; break;
      case '`': plain += "\\(ga"; break;
      case '^': plain += "\\(ha"; break;
      case '~': plain += "\\(ti"; break;
      default: plain += c;
    }
  }
  return plain;
}

// "-f, --file FILE" in bold and italics.
std::string Heading(const OptionText& option) {
  std::string names;
  for (const std::string& name : option.names) {
    if (!names.empty()) names += ", ";
    names += "\\fB" + Plain(name) + "\\fR";
  }
  if (option.value.empty()) return names;
  return names + (names.empty() ? "" : " ") + "\\fI" + Plain(option.value) +
         "\\fR";
}

void PrintOptions(const VerbText& verb, std::ostream& out) {
  for (const OptionText& option : verb.options) {
    out << ".TP\n"
        << Heading(option) << '\n'
        << Plain(option.description) << (option.required ? "; required" : "")
        << ".\n";
    if (!option.default_value.empty()) {
      out << "Default: " << Plain(option.default_value) << ".\n";
    }
  }
}

// Lines that stay as they are.
void PrintVerbatim(const std::string& text, std::ostream& out) {
  const std::size_t begin = text.find_first_not_of('\n');
  if (begin == std::string::npos) return;
  std::string lines = Plain(std::string_view(text).substr(begin));
  while (lines.ends_with('\n')) lines.pop_back();
  out << ".PP\n.nf\n" << lines << "\n.fi\n";
}

void PrintVerb(const VerbText& verb, std::ostream& out) {
  out << ".SS uplinkctl " << Plain(verb.name) << '\n'
      << Plain(verb.description) << ".\n";
  PrintOptions(verb, out);
  PrintVerbatim(verb.footer, out);
}

}  // namespace

std::string ManualPage(const CommandLineText& text) {
  std::ostringstream out;
  // No date: it would be the build's, which says nothing.
  out << ".TH UPLINKCTL 1 \"\" \"uplinkd " << UPLINKD_VERSION << "\"\n"
      << ".SH NAME\n"
         "uplinkctl \\- the client of uplinkd\n"
         ".SH SYNOPSIS\n"
         ".B uplinkctl\n"
         ".RI [ OPTION ...]\n"
         ".I VERB\n"
         ".RI [ OPTION ...]\n"
         ".SH DESCRIPTION\n"
      << Plain(text.program.description)
      << "\nThe spec that some verbs take is described in\n"
         ".BR uplinkd\\-spec (5).\n";
  PrintVerbatim(text.program.footer, out);
  out << ".SH OPTIONS\nThese may stand before or behind the verb.\n";
  PrintOptions(text.program, out);
  out << ".SH VERBS\n";
  for (const VerbText& verb : text.verbs) PrintVerb(verb, out);
  out << ".SH EXIT STATUS\n"
         ".TP\n.B 0\nDone; in sync; nothing found.\n"
         ".TP\n.B 1\nThe answer is no, as of \\fBdiff\\fR where something "
         "differs.\n"
         ".TP\n.B 2\nBad input, or refused; nothing was changed.\n"
         ".TP\n.B 3\nNo agent answers.\n"
         ".SH ENVIRONMENT\n"
         ".TP\n.B UPLINKD_ADDRESS\nThe default of \\fB\\-\\-address\\fR.\n"
         ".TP\n.B UPLINKD_TLS_CA\nThe default of \\fB\\-\\-tls\\-ca\\fR.\n"
         ".TP\n.B UPLINKD_TLS_CERTIFICATE\n"
         "The default of \\fB\\-\\-tls\\-certificate\\fR.\n"
         ".TP\n.B UPLINKD_TLS_KEY\nThe default of \\fB\\-\\-tls\\-key\\fR.\n"
         ".TP\n.B NO_COLOR\nNo colour unless it is asked for.\n"
         ".SH FILES\n"
         ".TP\n.I /usr/share/uplinkctl/uplinkd.schema.json\n"
         "What \\fBuplinkctl schema\\fR prints, as the package installs it.\n"
         ".TP\n.I /usr/share/doc/uplinkd/operations.md\n"
         "What conditions and reasons mean, and what to do, as the package of\n"
         "the agent installs it; docs/operations.md in its source.\n"
         ".SH SEE ALSO\n"
         ".BR uplinkd (8),\n"
         ".BR uplinkd\\-spec (5)\n";
  return out.str();
}

}  // namespace uplinkd
