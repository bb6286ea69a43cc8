#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weft::study {

/// A table of doubles, one column after the other: the plain baselines walk features, not rows.
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t rows, std::size_t columns, double value = 0)
      : rows_(rows), columns_(columns), values_(rows * columns, value) {}

  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }
  double operator()(std::size_t row, std::size_t column) const noexcept { return values_[column * rows_ + row]; }
  double& operator()(std::size_t row, std::size_t column) noexcept { return values_[column * rows_ + row]; }
  std::span<const double> column(std::size_t j) const noexcept { return {values_.data() + j * rows_, rows_}; }
  std::span<double> column(std::size_t j) noexcept { return {values_.data() + j * rows_, rows_}; }
  friend bool operator==(const Matrix&, const Matrix&) = default;

 private:
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::vector<double> values_;
};

/// The chosen rows, in the order given.
Matrix select_rows(const Matrix& x, std::span<const std::int64_t> rows);
/// Columns of all parts side by side; all must have the same rows.
Matrix join_columns(std::span<const Matrix> parts);

}  // namespace weft::study
