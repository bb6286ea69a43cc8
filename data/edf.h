#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <weft/tensor/tensor.h>

/// Recordings of signals (ECG, EEG, sleep): EDF, EDF+ and BDF, BDF+. Needs EDFlib (Meson feature `edf`).
namespace weft::data {

/// One channel.
struct EdfSignal {
  std::string label;         ///< "EEG Fpz-Cz", without the blanks around
  std::string unit;          ///< "uV"; empty where the file says nothing
  std::string prefilter;     ///< "HP:0.1Hz LP:75Hz"
  double sampling_rate = 0;  ///< samples a second; channels of one file may differ
  Tensor values;             ///< (T) float32, in `unit`
};

/// Something that was noted at a time (EDF+ and BDF+).
struct EdfAnnotation {
  double onset = 0;      ///< seconds from the start of the recording
  double duration = -1;  ///< seconds; -1 where the file says none
  std::string text;      ///< UTF-8; at most 512 bytes
};

/// A recording. Name, code, sex and birthday of the patient and who recorded it are not read.
struct Edf {
  std::string type;     ///< "EDF", "EDF+", "BDF" or "BDF+"
  std::string start;    ///< "2024-01-31T23:59:30", local time as written; fractions of a second as far as there are
  double duration = 0;  ///< seconds
  std::vector<EdfSignal> signals;
  std::vector<EdfAnnotation> annotations;

  /// The channel of that label. Throws ConfigError naming the closest.
  const EdfSignal& at(std::string_view label) const;
  /// Channels of one sampling rate as (channels, T); without labels all of them. Throws ConfigError for a label that is
  /// not there and for rates that differ.
  Tensor stacked(const std::vector<std::string>& labels = {}) const;
};

/// Reads a whole recording, values in physical units: v = (stored - digital min) * (physical max - physical min) /
/// (digital max - digital min) + physical min. Throws FileError naming the file: missing, a folder, empty, no EDF, a
/// header that contradicts itself (which signal, which field), cut short, too long, with gaps (EDF+D); ConfigError when
/// weft was built without EDFlib. EDFlib reads one file at a time here (its opening is not safe for threads; calls wait
/// for each other), files of at most 640 signals, 10 MiB a data record (BDF: 15 MiB), and no more than 64 files may be
/// open at once by other users of EDFlib in the same program.
Edf read_edf(const std::string& path);

/// Whether this build reads EDF.
bool have_edf() noexcept;

}  // namespace weft::data
