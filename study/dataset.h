#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <weft/data/csv.h>
#include <weft/data/modalities.h>
#include <weft/data/scale.h>
#include <weft/data/split.h>
#include <weft/study/config.h>

namespace weft::study {

/// The evidence of one modality as read, before anything is learned from it.
struct Evidence {
  std::string name;
  data::Table table;
  /// How its columns become features. A value that only a test patient has is no reason to end a comparison: it counts
  /// as none of those known.
  data::TableOptions options = {.unseen = data::Unseen::unknown};
  /// How good this modality of each row is known to be, in [0, 1], 1 where nobody says; no numbers: nobody says for
  /// any. No feature: fusions that look at Modalities::quality weigh by it.
  data::Column quality = {};
};

/// A column whose values part the rows: groups, sites, subgroups.
struct Parting {
  std::string name;
  std::vector<std::int64_t> code;   ///< (N,), in [0, names)
  std::vector<std::string> values;  ///< what the codes are called; a missing value is one of its own, "missing"
};

Parting parting_of(const data::Column& column);

/// All rows of a study.
struct Dataset {
  std::vector<Evidence> evidence;
  std::vector<std::int64_t> labels;  ///< (N,), in [0, classes); empty when read without a target
  std::vector<std::string> classes;  ///< what the labels are called; the positive class is the last one
  std::optional<data::Split> fixed;  ///< the split that comes with the data
  std::optional<Parting> group;      ///< [split] group: rows of one are never parted
  std::optional<Parting> site;       ///< [split] site
  std::vector<double> time;          ///< (N,) of [split] time, or empty
  std::vector<Parting> subgroups;    ///< [compare] subgroups

  std::int64_t rows() const { return evidence.empty() ? 0 : evidence.front().table.rows(); }
  std::int64_t class_count() const { return static_cast<std::int64_t>(classes.size()); }
};

/// Tells whether two data sets hold the same.
std::string checksum(const Dataset& dataset);

/// A CSV as [data] says it is written, gzipped or not. Throws FileError as data::read_csv() does, and for what is no
/// UTF-8, for a table without rows, and for numbers beyond 1e150.
data::Table read_table(const DataConfig& config, const std::string& path);

/// Reads what the study file names. Throws ConfigError with the study file's line for an unknown column, a
/// modality that matches no column or that nobody has, a quality outside [0, 1] (with its row), labels of one class
/// only, a positive class that does not occur; FileError for damaged files; MissingData when a file or folder is not
/// there.
Dataset load_dataset(const Study& study);

struct Preparation;
/// Rows that a kept model is asked about. They take nothing from where its training data lie.
struct NewRows {
  std::string csv;  ///< empty: none
  /// By the names of modalities: NPY files for those that the study reads from such.
  std::vector<std::pair<std::string, std::string>> files = {};
  /// By the names of modalities: NPY files of quality, where the study reads it from such.
  std::vector<std::pair<std::string, std::string>> qualities = {};
  std::string target = {};  ///< an NPY file of classes, where the study reads them from such; empty: not known
};
/// The modalities of `study` for new rows, labels only if the target is there and whole. Throws ConfigError beginning
/// with `operation` for files that do not fit the study's modalities, FileError for damaged ones, MissingData when one
/// is not there.
Dataset load_rows(const char* operation, const Study& study, const NewRows& rows, const Preparation& preparation,
                  const std::vector<std::string>& classes);

/// What is learned from training rows before any method sees numbers: standardisation, filling of gaps, categories.
struct Preparation {
  std::vector<data::TableEncoder> encoders;
  std::vector<std::int64_t> rows;  ///< those it was learned from

  static Preparation fit(const Dataset& dataset, std::span<const std::int64_t> rows);
  /// Features of all rows as float64, and the quality where a modality has one. Throws ConfigError naming the modality
  /// whose columns differ.
  data::Modalities apply(const Dataset& dataset) const;

  std::string to_json() const;
  /// Throws ConfigError when the text is not what to_json() gives.
  static Preparation from_json(const std::string& json);
};

}  // namespace weft::study
