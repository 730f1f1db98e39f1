// completion, manual and schema: what the program says about itself to shells,
// man(1) and editors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/program.h"

namespace uplinkd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class AboutVerbs : public ProgramTest {
 protected:
  // The words after "  " that --help lists as verbs.
  std::vector<std::string> Verbs() const {
    std::vector<std::string> verbs;
    std::istringstream help(Ctl("--help").out);
    bool there = false;
    for (std::string line; std::getline(help, line);) {
      if (line == "Subcommands:") {
        there = true;
      } else if (there && line.starts_with("  ") && line[2] != ' ') {
        verbs.push_back(line.substr(2, line.find(' ', 2) - 2));
      } else if (there && line.empty()) {
        break;
      }
    }
    return verbs;
  }
  // "-f", "--file" ...: of a verb's --help, or of the program's.
  std::set<std::string> Options(const std::string& verb) const {
    std::set<std::string> options;
    std::istringstream help(Ctl(verb + " --help").out);
    for (std::string line; std::getline(help, line);) {
      if (!line.starts_with("  -")) continue;
      std::istringstream names(line.substr(2, line.find(' ', 2) - 2));
      for (std::string name; std::getline(names, name, ',');) {
        options.insert(name);
      }
    }
    return options;
  }
  // What bash offers behind `typed`, whose words it breaks at = and : as well.
  std::vector<std::string> BashOffers(const std::string& typed) const {
    const auto result =
        Sh("{ test -e c || \"$UPLINKCTL\" completion bash >c; } &&\n"
           "cat >offer <<'END'\n"
           "set -u\nsource ./c\n"
           "COMP_LINE='" +
           typed +
           "'\nCOMP_POINT=${#COMP_LINE} COMP_WORDS=() rest=$COMP_LINE\n"
           "while [[ $rest =~ ^\\ *([=:]+|[^=:\\ ]+)(.*) ]]; do\n"
           "  COMP_WORDS+=(\"${BASH_REMATCH[1]}\") rest=${BASH_REMATCH[2]}\n"
           "done\n"
           "if [[ $COMP_LINE == *\\  ]]; then COMP_WORDS+=(''); fi\n"
           "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
           "_uplinkctl\n"
           "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
           "END\nbash offer");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<std::string> offers;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) offers.push_back(line);
    }
    return offers;
  }
};

TEST_F(AboutVerbs, EveryVerbAndOptionOfHelpIsInEveryCompletionAndInTheManual) {
  const std::vector<std::string> verbs = Verbs();
  ASSERT_THAT(verbs, AllOf(Contains("apply"), Contains("completion"),
                           Not(Contains("manual"))));
  const std::string bash = Ctl("completion bash").out;
  const std::string zsh = Ctl("completion zsh").out;
  const std::string fish = Ctl("completion fish").out;
  const std::string manual = Sh("\"$UPLINKCTL\" manual >m && "
                                "man -E ascii -l -Tascii -P cat m | col -b")
                                 .out;
  for (const std::string& verb : verbs) {
    EXPECT_THAT(bash, HasSubstr("\n    " + verb + ") echo")) << verb;
    EXPECT_THAT(zsh, HasSubstr("\n    '" + verb + ":")) << verb;
    EXPECT_THAT(fish, HasSubstr(" -a " + verb + " -d ")) << verb;
    EXPECT_THAT(manual, HasSubstr("   uplinkctl " + verb + "\n")) << verb;
    EXPECT_THAT(BashOffers("uplinkctl " + verb), testing::IsSupersetOf({verb}));
    std::set<std::string> options = Options(verb);
    ASSERT_THAT(options, Contains("--help")) << verb;
    const std::vector<std::string> offered =
        BashOffers("uplinkctl " + verb + " -");
    for (const std::string& option : options) {
      const bool is_long = option.starts_with("--");
      EXPECT_THAT(offered, Contains(option)) << verb;
      EXPECT_THAT(zsh, HasSubstr(option)) << verb;
      EXPECT_THAT(fish, HasSubstr(is_long ? " -l " + option.substr(2)
                                          : " -s " + option.substr(1)));
      EXPECT_THAT(manual, HasSubstr(option)) << verb;
    }
  }
}

TEST_F(AboutVerbs, EveryVariableOfHelpIsInTheManual) {
  const std::string manual = Ctl("manual").out;
  std::istringstream variables(
      Sh("\"$UPLINKCTL\" --help-all | grep -oE 'Env:[A-Z_]+' | cut -d: -f2")
          .out);
  int count = 0;
  for (std::string name; variables >> name; ++count) {
    EXPECT_THAT(manual, HasSubstr("\n.B " + name + "\n"));
  }
  EXPECT_GE(count, 4);
}

TEST_F(AboutVerbs, BashCompletesVerbsOptionsAndTheirValues) {
  EXPECT_THAT(BashOffers("uplinkctl ap"), ElementsAre("apply"));
  EXPECT_THAT(BashOffers("uplinkctl status -o "),
              ElementsAre("table", "yaml", "json"));
  EXPECT_THAT(BashOffers("uplinkctl status --output j"), ElementsAre("json"));
  EXPECT_THAT(BashOffers("uplinkctl --color n"), ElementsAre("never"));
  // A value is no verb.
  EXPECT_THAT(BashOffers("uplinkctl --timeout 10s appl"), ElementsAre("apply"));
  EXPECT_THAT(BashOffers("uplinkctl --address apply dr"), ElementsAre("drain"));
  EXPECT_THAT(BashOffers("uplinkctl completion b"), ElementsAre("bash"));
  EXPECT_THAT(BashOffers("uplinkctl apply --wa"), ElementsAre("--wait"));
  // What only the user knows.
  EXPECT_THAT(BashOffers("uplinkctl apply --wait "), IsEmpty());
  EXPECT_THAT(BashOffers("uplinkctl drain "), IsEmpty());
  Write("office.yaml", "");
  Write("other.yaml", "");
  EXPECT_THAT(BashOffers("uplinkctl apply -f o"),
              UnorderedElementsAre("office.yaml", "other.yaml", "offer"));
}

TEST_F(AboutVerbs, BashCompletesBesideAndBehindEqualsSignsAndColons) {
  EXPECT_THAT(BashOffers("uplinkctl --address unix:///x st"),
              ElementsAre("status"));
  EXPECT_THAT(BashOffers("uplinkctl --address=tcp://[::1]:98 st"),
              ElementsAre("status"));
  EXPECT_THAT(BashOffers("uplinkctl --timeout=5s st"), ElementsAre("status"));
  EXPECT_THAT(BashOffers("uplinkctl --color=never status -o t"),
              ElementsAre("table"));
  EXPECT_THAT(BashOffers("uplinkctl --color="),
              ElementsAre("auto", "always", "never"));
  EXPECT_THAT(BashOffers("uplinkctl --color=al"), ElementsAre("always"));
  EXPECT_THAT(BashOffers("uplinkctl status --output=j"), ElementsAre("json"));
  EXPECT_THAT(BashOffers("uplinkctl --address unix:"), IsEmpty());
  EXPECT_THAT(BashOffers("uplinkctl apply --dry-run="), IsEmpty());
  Write("office.yaml", "");
  Write("o:1.yaml", "");
  EXPECT_THAT(BashOffers("uplinkctl apply --file=offic"),
              ElementsAre("office.yaml"));
  EXPECT_THAT(BashOffers("uplinkctl apply -f o:"), ElementsAre("1.yaml"));
}

// With the keys that a user presses, and the words that the program gets.
TEST_F(AboutVerbs, BashPutsWhatItOffersInTheRightPlace) {
  Write("office.yaml", "");
  Write("keys",
        "source ./setup\n"
        "uplinkctl --address unix:///x stat\t\n"
        "uplinkctl --color=al\t stat\t\n"
        "uplinkctl --timeout=5s appl\t --file=off\t\n"
        "COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]/}\n"
        "uplinkctl --color=al\t appl\t --file=off\t\n"
        "exit\n");
  Write("setup",
        "source ./c\n"
        "uplinkctl() { printf '<%s>' \"$@\" >>got; echo >>got; }\n");
  const auto result =
      Sh("\"$UPLINKCTL\" completion bash >c && "
         "TERM=dumb INPUTRC=/dev/null HISTFILE= timeout 60 "
         "script -qec 'bash --norc --noprofile -i' /dev/null <keys");
  EXPECT_EQ(Read("got"),
            "<--address><unix:///x><status>\n"
            "<--color=always><status>\n"
            "<--timeout=5s><apply><--file=office.yaml>\n"
            "<--color=always><apply><--file=office.yaml>\n")
      << result.out << result.err;
}

TEST_F(AboutVerbs, OtherShellsAcceptTheirScripts) {
  const auto zsh =
      Sh("\"$UPLINKCTL\" completion zsh >_uplinkctl && zsh -n _uplinkctl && "
         "zsh -fc 'fpath=($PWD $fpath); autoload -Uz compinit; "
         "compinit -u -D; print $_comps[uplinkctl]'");
  EXPECT_EQ(zsh.out, "_uplinkctl\n") << zsh.err;
  EXPECT_EQ(zsh.err, "");
  const auto fish = Sh(
      "export HOME=$PWD\n\"$UPLINKCTL\" completion fish >c && fish --no-config "
      "-c \"source c; complete -C 'uplinkctl ap'; complete -C 'uplinkctl get "
      "-o y'\"");
  EXPECT_EQ(fish.out,
            "apply\tMake the agent follow a spec\n"
            "yaml\tHow to print it\n")
      << fish.err;
  EXPECT_EQ(fish.err, "");
}

TEST_F(AboutVerbs, CompletionIsForKnownShellsOnly) {
  EXPECT_EQ(Ctl("completion tcsh").exit_code, 2);
  EXPECT_EQ(Ctl("completion").exit_code, 2);
}

}  // namespace
}  // namespace uplinkd
