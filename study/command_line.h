#pragma once
#include <string>
#include <vector>

/// The command line of `weft`: what may be asked for, told once. Help, shell completion and the manual page are made
/// from the same description, so that none of them can go stale.
namespace weft::study {

/// An option or a positional argument.
struct OptionText {
  std::vector<std::string> names;    ///< "-o", "--out"; a positional has one, without dashes
  std::string value;                 ///< what follows: "FOLDER", "N"; empty: nothing does
  std::vector<std::string> choices;  ///< all that may follow, where that is a list
  std::string text;
  bool positional = false, required = false;
};

struct CommandText {
  std::string name;  ///< "weft", and below it "compare"
  std::string text, footer;
  std::vector<OptionText> options;
  std::vector<CommandText> commands;
};

/// Parses the arguments and does what they ask for. Returns the exit status.
int run_command_line(int argc, char** argv);

}  // namespace weft::study
