#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weft/data/csv.h>
#include <weft/tensor/tensor.h>

/// Preparation that is learned from the training rows only and then applied to any rows. All statistics are
/// in double precision. Fields are plain so that they can be stored; from_json(to_json()) is the same to the bit.
namespace weft::data {

/// Centres and scales columns: y = (x - mean) / deviation, with the training rows' mean and population
/// deviation per column, NaN left out (and left in place).
struct Standardizer {
  std::vector<double> mean;
  std::vector<double> deviation;  ///< 1 where the training rows are constant or all missing

  /// x is (N, F) of a floating type, rows are those to learn from. Throws ShapeError unless x is a matrix,
  /// DtypeError unless it is floating, ConfigError when `rows` is empty or out of range or holds an infinite value.
  static Standardizer fit(const Tensor& x, std::span<const std::int64_t> rows);
  /// (N, F) -> (N, F), the same type. Throws ShapeError for another number of columns.
  Tensor apply(const Tensor& x) const;
};

/// Replaces NaN by the training rows' mean of the column (0 where all of them are missing), and can append
/// a column of 0 and 1 for each column that had missing values in training.
struct Imputer {
  std::vector<double> mean;
  std::vector<std::int64_t> indicators;  ///< columns that get an indicator

  static Imputer fit(const Tensor& x, std::span<const std::int64_t> rows, bool indicators = false);
  /// (N, F) -> (N, F + number of indicators), the same type. Throws ShapeError for another number of columns.
  Tensor apply(const Tensor& x) const;
};

/// One column of 0 and 1 for each level that the training rows have; a level not seen there, or a
/// missing value, is all zeros.
struct OneHot {
  std::vector<std::string> levels;

  /// Throws ConfigError when the column is not categorical or `rows` is out of range.
  static OneHot fit(const Column& column, std::span<const std::int64_t> rows);
  /// (N, number of levels) float64.
  Tensor apply(const Column& column) const;
};

/// What becomes of a category that the training rows do not have.
enum class Unseen : std::uint8_t {
  error,    ///< ConfigError that names the column, the value, its row and the values that are known
  unknown,  ///< it counts as a category of its own, "unknown": one-hot columns are all 0
};

struct TableOptions {
  bool standardize = true;  ///< numeric columns
  bool indicators = false;  ///< a 0/1 column beside each numeric column that had missing values in training
  Unseen unseen = Unseen::error;
};

/// Features of a modality with who has it.
struct Encoded {
  Tensor features;  ///< (N, F); rows that are not present are NaN
  Tensor present;   ///< (N,) bool: at least one of the columns has a value
};

/// Columns of a table as one modality: numbers standardised, then their missing values set to the training mean;
/// categories as one-hot columns.
struct TableEncoder {
  struct Part {
    std::string column;
    bool categorical = false;
    double mean = 0;
    double deviation = 1;
    bool indicator = false;
    std::vector<std::string> levels;
    bool seen = true;  ///< some training row has a value; if not, nothing is known and all its values count as missing
  };
  std::vector<Part> parts;
  bool standardize = true;  ///< otherwise numbers stay as they are, and `mean` only fills gaps
  Unseen unseen = Unseen::error;

  /// Throws as Table::match() and the fits above do.
  static TableEncoder fit(const Table& table, std::span<const std::string> patterns, std::span<const std::int64_t> rows,
                          const TableOptions& options = {});
  /// Throws ConfigError when the table lacks a column, holds a category unseen in training (see Unseen), or holds text
  /// where there were numbers in training. (Numbers where there was text are taken as the text that they are: a short
  /// file may happen to hold no letters.)
  Encoded apply(const Table& table, DType dtype = DType::float32) const;
  /// F names: "tau", "tau=missing", "genotype=E3E3", ...
  std::vector<std::string> feature_names() const;

  std::string to_json() const;
  /// Throws ConfigError when the text is not what to_json() gives.
  static TableEncoder from_json(std::string_view text);
};

struct CoderOptions {
  bool standardize = true;  ///< numeric columns
  Unseen unseen = Unseen::error;
};

/// Columns of a table as one matrix for layers that treat each column by itself (layers/tabular.h): numbers first,
/// standardised and NaN where they are missing, then a code for each category: 0 missing, 1 unknown, 2 and up the
/// values of the training rows in their order. Numbers are imputed by the layers: 0 is the training mean.
struct TableCoder {
  std::vector<TableEncoder::Part> parts;  ///< columns of numbers, then columns of categories
  bool standardize = true;
  Unseen unseen = Unseen::error;

  /// Throws as TableEncoder::fit() does.
  static TableCoder fit(const Table& table, std::span<const std::string> patterns, std::span<const std::int64_t> rows,
                        const CoderOptions& options = {});
  /// (N, numeric() + categories) and who has anything at all; codes are whole numbers in the same type. Throws as
  /// TableEncoder::apply() does.
  Encoded apply(const Table& table, DType dtype = DType::float32) const;
  /// How many columns hold numbers.
  std::int64_t numeric() const noexcept;
  /// For each column of categories how many codes there are: known values + 2.
  std::vector<std::int64_t> cardinalities() const;
  /// Of the columns, in the order of the features.
  std::vector<std::string> names() const;

  std::string to_json() const;
  /// Throws ConfigError when the text is not what to_json() gives.
  static TableCoder from_json(std::string_view text);
};

/// A weight per class that makes up for how often it occurs: n / (classes * n_c), so that all classes together weigh
/// the same; (classes,) float32. Of the training labels only, for cross_entropy's `weight` or for weighted_mean().
/// Throws ConfigError for a label outside [0, classes) and for a class without members.
Tensor balanced_class_weights(std::span<const std::int64_t> labels, std::int64_t classes);

}  // namespace weft::data
