#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weft/study/dataset.h>

/// Which rows train and which test: drawn as [split] says, or read from what an earlier run kept.
namespace weft::study {

/// All splits of one comparison.
struct Splits {
  std::string kind;  ///< as [split] kind
  std::vector<data::Split> drawn;
  std::vector<std::string> names;    ///< of `drawn`: the site that is left out; empty for the other kinds
  std::optional<data::Split> given;  ///< the one that comes with the data

  /// Each with what messages call it; valid as long as this is.
  std::vector<std::pair<std::string, const data::Split*>> named() const;
  /// The text of splits.json: every row of every part, and the checksum of the data that the rows are of.
  std::string to_json(const std::string& data_checksum) const;
};

/// What rows must stay together: the study's groups, and, with [split] duplicates = "together", rows that are the same
/// in everything. Empty when nothing must.
std::vector<std::int64_t> together(const Study& study, const Dataset& dataset);

/// `count` splits as [split] says, from the seed alone; by site as many as there are sites, from a file as many as it
/// holds. By time: the last rows, [compare] test of all, fall into `count` spans one after the other; each is tested on
/// with everything before it to train on. Throws ConfigError with the study's line where the data do not allow it;
/// FileError for a splits.json that is damaged, ConfigError for one of other data.
Splits make_splits(const Study& study, const Dataset& dataset, std::int64_t count, std::uint64_t seed);

/// Splits from the text of a splits.json. Throws FileError when it is damaged or parts overlap, ConfigError when it is
/// of other data.
Splits parse_splits(const std::string& json, const std::string& path, const Dataset& dataset);

/// Throws ConfigError with the study file's line when a class has fewer than three rows, or a metric does not fit the
/// number of classes.
void check_enough(const Study& study, const Dataset& dataset);
/// Throws ConfigError with the study file's line when a part has too few rows of a class to be trained on, or lacks
/// one that the study's metric needs.
void check_splits(const Study& study, const Dataset& dataset, const Splits& splits);

}  // namespace weft::study
