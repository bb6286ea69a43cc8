#pragma once
#include <string>

#include <weft/data/clinic.h>

/// `weft simulate`: data sets whose truth is known, ready to be compared on.
namespace weft::study {

struct SimulateOptions {
  data::ClinicOptions clinic;
  std::string missing = "none";  ///< none | random | not-random
  std::string out;               ///< a folder
  bool json = false;             ///< print what was made as JSON
  bool quiet = false;
};

/// Writes a simulated clinic: arrays, tables and notes, the truth about them, a README and study.toml, which
/// `weft compare` runs. All of it or nothing. Throws as simulate_clinic() does, ConfigError for an unknown way of
/// missing and when no folder is named, FileError when it cannot be written.
void run_simulate_clinic(const SimulateOptions& options);

}  // namespace weft::study
