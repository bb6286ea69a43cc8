#pragma once
#include <string>
#include <vector>

#include <weft/study/columns.h>

/// `weft init`: a first study file, from a CSV or a folder of NPY files.
namespace weft::study {

struct InitOptions {
  std::string data;    ///< a CSV (gzipped or not), or a folder
  std::string out;     ///< the study file; empty: <data>.toml in the current folder
  std::string target;  ///< a column, or an NPY file of the folder; empty: guessed
  bool force = false;  ///< replace a study file that is there
  bool json = false;
  bool quiet = false;
};

struct Guess {
  std::string what, where, why;  ///< "target", "species", "its name, and few different values"
};

/// A study file, with comments that say what was guessed.
struct Draft {
  std::string source;  ///< TOML
  std::vector<Guess> guesses;
  std::vector<std::string> warnings;  ///< what `weft compare` would refuse, and what to look at
};

/// `path`: where the study file will lie. Throws ConfigError when no target can be made out or the given one is none
/// that a classification could have, FileError for data that cannot be read.
Draft draft_study(const InitOptions& options, const std::string& path);

/// Writes the study file and prints what was guessed. Throws as draft_study() does, and ConfigError when the file is
/// there already.
void run_init(const InitOptions& options);

}  // namespace weft::study
