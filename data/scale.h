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

struct TableOptions {
  bool standardize = true;  ///< numeric columns
  bool indicators = false;  ///< a 0/1 column beside each numeric column that had missing values in training
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
  };
  std::vector<Part> parts;
  bool standardize = true;  ///< otherwise numbers stay as they are, and `mean` only fills gaps

  /// Throws as Table::match() and the fits above do.
  static TableEncoder fit(const Table& table, std::span<const std::string> patterns, std::span<const std::int64_t> rows,
                          const TableOptions& options = {});
  /// Throws ConfigError when the table lacks a column, or holds text where there were numbers in training. (Numbers
  /// where there was text are taken as the text that they are: a short file may happen to hold no letters.)
  Encoded apply(const Table& table, DType dtype = DType::float32) const;
  /// F names: "tau", "tau=missing", "genotype=E3E3", ...
  std::vector<std::string> feature_names() const;

  std::string to_json() const;
  /// Throws ConfigError when the text is not what to_json() gives.
  static TableEncoder from_json(std::string_view text);
};

}  // namespace weft::data
