#pragma once
#include <string>
#include <vector>

#include <weft/show/terminal.h>

/// `weft inspect`: what is in a file.
namespace weft::study {

struct InspectOptions {
  std::string path;    ///< a study file, a kept model's folder, a folder of arrays, or a data file
  std::string target;  ///< of a CSV: what its other columns are judged by; empty: guessed
  bool json = false;
};

/// What was found, to be shown as text or as JSON: facts, then tables. Values are JSON texts: a number, "a string".
struct Sheet {
  struct Fact {
    std::string key, value;
  };
  struct TableOf {
    std::string key;
    std::vector<std::string> names;
    std::vector<std::vector<std::string>> rows;
  };
  std::vector<Fact> facts;
  std::vector<TableOf> tables;

  std::string json() const;
  std::string str(const show::Style& style) const;
};

/// By what the file is, its first bytes before its name. Throws FileError for what weft cannot read, naming what it
/// can; and as the readers do.
Sheet inspect(const InspectOptions& options);

/// A study, with its data where they are here.
Sheet inspect_study(const std::string& path);
/// A folder that weft train wrote.
Sheet inspect_model(const std::string& folder);
/// A safetensors file: layers with their parameters.
Sheet inspect_tensors(const std::string& path);

/// Prints inspect().
void run_inspect(const InspectOptions& options);

}  // namespace weft::study
