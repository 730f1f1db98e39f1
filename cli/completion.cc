#include "cli/completion.h"

#include <sstream>
#include <string_view>
#include <vector>

namespace uplinkd {
namespace {

std::string Join(const std::vector<std::string>& words,
                 std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

std::vector<std::string> NamesOf(const std::vector<OptionText>& options) {
  std::vector<std::string> names;
  for (const OptionText& option : options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// Each of `characters` in `text` behind a backslash.
std::string Escape(std::string_view text, std::string_view characters) {
  std::string escaped;
  for (const char c : text) {
    if (characters.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// ---- bash ----

constexpr std::string_view kBashHead =
    R"(# bash completion for uplinkctl; made by `uplinkctl completion bash`

# VERB OPTION: prints what its value is to be completed with. Fails if it takes
# none.
_uplinkctl_value() {
  case $1:$2 in
)";

constexpr std::string_view kBashMain = R"bash(
# Puts the words up to the cursor into `words`, a variable of the caller. Bash
# breaks them at = and : as well (COMP_WORDBREAKS), and uplinkctl does not: what
# has no space between it is one word.
_uplinkctl_words() {
  local line=$COMP_LINE before='' part space i
  words=()
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    part=${COMP_WORDS[i]}
    space=${line%%"$part"*}
    line=${line#"$space$part"}
    if [[ $i != 0 && -z $space && -n $part ]] &&
        [[ -z ${part//[=:]/} || -z ${before//[=:]/} ]]; then
      words[-1]+=$part
    else
      words+=("$part")
    fi
    before=$part
  done
}

_uplinkctl() {
  local words=() word verb='' option='' prefix='' kept='' value i
  _uplinkctl_words
  for ((i = 1; i < ${#words[@]} - 1; ++i)); do
    word=${words[i]}
    if [[ -n $option ]]; then
      option=''  # this is its value
    elif [[ $word == -* ]]; then
      if _uplinkctl_value "$verb" "$word" >/dev/null; then option=$word; fi
    elif [[ -z $verb ]]; then
      verb=$word
    fi
  done
  word=${words[-1]}
  if [[ -z $option && $word == --*=* ]]; then
    option=${word%%=*}
    prefix=$option=
  fi
  COMPREPLY=()
  if [[ -n $option ]]; then
    value=$(_uplinkctl_value "$verb" "$option") || return 0
  elif [[ $word == -* ]]; then
    value=$(_uplinkctl_options "$verb")
  elif [[ -z $verb ]]; then
    value=$(_uplinkctl_verbs)
  else
    value=$(_uplinkctl_value "$verb" '')
  fi
  if [[ $value == FILE ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${word#"$prefix"}")
  else
    mapfile -t COMPREPLY < <(compgen -W "$value" -- "${word#"$prefix"}")
  fi
  # An offer takes the place of what stands behind the last break only.
  kept=$word
  value=${COMP_WORDS[COMP_CWORD]}
  if [[ -n ${value//[=:]/} ]]; then kept=${word%"$value"}; fi
  COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
  COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}
complete -F _uplinkctl uplinkctl
)bash";

// The cases of a verb; the options of the program are every verb's, and those
// of a value without an option have no name.
void BashValues(const std::string& verb, const VerbText& text,
                std::ostream& out) {
  for (const OptionText& option : text.options) {
    if (option.value.empty()) continue;
    std::vector<std::string> cases;
    for (const std::string& name : option.names) {
      std::string& one = cases.emplace_back(verb);
      one.append(":").append(name);
    }
    if (cases.empty()) cases.push_back(verb + ":");
    out << "    " << Join(cases, " | ") << ") echo '"
        << (option.takes_file() ? "FILE" : Join(option.choices, " "))
        << "' ;;\n";
  }
}

// ---- zsh ----

// "[text]" of an option or ":text" of a verb, within single quotes.
std::string ZshText(const std::string& text) {
  std::string quoted;
  for (const char c : Escape(text, "[]:\\")) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted;
}

std::string ZshAction(const OptionText& option) {
  if (option.takes_file()) return "_files";
  if (option.choices.empty()) return " ";
  return "(" + Join(option.choices, " ") + ")";
}

// What _arguments wants to know of the options, a line each.
std::string ZshOptions(const std::vector<OptionText>& options,
                       const std::string& indent) {
  std::string lines;
  for (const OptionText& option : options) {
    const std::string value =
        option.value.empty()
            ? ""
            : ":" + ZshText(option.value) + ":" + ZshAction(option);
    std::string spec;
    if (option.names.empty()) {
      spec.append("'*").append(value).append("'");
    } else {
      const std::string what = "[" + ZshText(option.description) + "]" + value;
      const std::string all = Join(option.names, " ");
      if (option.names.size() == 1) {
        spec.append("'").append(all);
      } else {
        spec.append("'(").append(all).append(")'{");
        spec.append(Join(option.names, ",")).append("}'");
      }
      spec.append(what).append("'");
    }
    lines += indent + spec + " \\\n";
  }
  return lines;
}

// ---- fish ----

std::string FishText(const std::string& text) {
  return "'" + Escape(text, "\\'") + "'";
}

void FishOptions(const VerbText& verb, const std::string& condition,
                 std::ostream& out) {
  for (const OptionText& option : verb.options) {
    out << "complete -c uplinkctl" << condition;
    for (const std::string& name : option.names) {
      out << (name.starts_with("--") ? " -l " + name.substr(2)
                                     : " -s " + name.substr(1));
    }
    if (!option.value.empty() && !option.names.empty()) {
      out << (option.takes_file() ? " -r -F" : " -x");
    }
    if (!option.choices.empty()) {
      out << " -a " << FishText(Join(option.choices, " "));
    }
    out << " -d " << FishText(option.description) << '\n';
  }
}

}  // namespace

std::string BashCompletion(const CommandLineText& text) {
  std::ostringstream out;
  out << kBashHead;
  for (const VerbText& verb : text.verbs) BashValues(verb.name, verb, out);
  BashValues("*", text.program, out);
  out << "    *) return 1 ;;\n  esac\n}\n\n_uplinkctl_verbs() {\n  echo '";
  std::vector<std::string> verbs;
  for (const VerbText& verb : text.verbs) verbs.push_back(verb.name);
  out << Join(verbs, " ")
      << "'\n}\n\n# VERB, or '' for those of all.\n_uplinkctl_options() {\n"
         "  case $1 in\n";
  for (const VerbText& verb : text.verbs) {
    out << "    " << verb.name << ") echo '" << Join(NamesOf(verb.options), " ")
        << "' ;;\n";
  }
  out << "  esac\n  echo '" << Join(NamesOf(text.program.options), " ")
      << "'\n}\n"
      << kBashMain;
  return out.str();
}

std::string ZshCompletion(const CommandLineText& text) {
  std::ostringstream out;
  out << "#compdef uplinkctl\n"
         "# zsh completion for uplinkctl; made by `uplinkctl completion zsh`\n"
         "\n_uplinkctl() {\n"
         "  local curcontext=$curcontext state line\n"
         "  local -a all verbs\n"
         "  all=( \\\n"
      << ZshOptions(text.program.options, "    ") << "  )\n  verbs=(\n";
  for (const VerbText& verb : text.verbs) {
    out << "    '" << verb.name << ":" << ZshText(verb.description) << "'\n";
  }
  out << "  )\n"
         "  _arguments -C $all '1:verb:->verb' '*::argument:->argument'\n"
         "  case $state in\n"
         "    verb) _describe verb verbs ;;\n"
         "    argument)\n"
         "      case $words[1] in\n";
  for (const VerbText& verb : text.verbs) {
    out << "        " << verb.name << ")\n          _arguments \\\n"
        << ZshOptions(verb.options, "            ") << "            $all ;;\n";
  }
  out << "      esac ;;\n  esac\n}\n\n_uplinkctl \"$@\"\n";
  return out.str();
}

std::string FishCompletion(const CommandLineText& text) {
  std::ostringstream out;
  out << "# fish completion for uplinkctl; made by `uplinkctl completion "
         "fish`\n\ncomplete -c uplinkctl -f\n";
  FishOptions(text.program, "", out);
  for (const VerbText& verb : text.verbs) {
    out << "\ncomplete -c uplinkctl -n __fish_use_subcommand -a " << verb.name
        << " -d " << FishText(verb.description) << '\n';
    FishOptions(verb, " -n '__fish_seen_subcommand_from " + verb.name + "'",
                out);
  }
  return out.str();
}

}  // namespace uplinkd
