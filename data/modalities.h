#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weft/tensor/tensor.h>

namespace weft::data {

/// Several kinds of evidence about the same B samples, and who has which.
///
/// Rows of features[m] whose sample lacks modality m hold anything (readers leave NaN there) and
/// must not be read: ask `has(row, m)` or use `present_rows(m)`.
struct Modalities {
  std::vector<std::string> names;  ///< M of them, all different
  std::vector<Tensor> features;    ///< M of them; features[m] is (B, ...)
  Tensor present;                  ///< (B, M) bool
  /// (B, M) in [0, 1]: how good each is known to be, say from resolution or noise; undefined: nobody knows. Where a
  /// modality is missing it holds anything.
  Tensor quality{};

  /// Everyone has everything. Throws as check() does.
  static Modalities complete(std::vector<std::string> names, std::vector<Tensor> features);

  std::int64_t batch() const;                                               ///< B; 0 when there is no modality
  int count() const noexcept { return static_cast<int>(features.size()); }  ///< M

  /// The place of a modality. Throws ConfigError naming the closest name there is.
  int index_of(std::string_view name) const;
  /// Whether sample `row` has modality m. Throws ShapeError when either is out of range.
  bool has(std::int64_t row, int m) const;
  /// The rows that have modality m, ascending. Throws ShapeError when m is out of range.
  std::vector<std::int64_t> present_rows(int m) const;

  /// The given samples, in that order (repeats allowed), copied. Throws ConfigError for an index outside [0, B).
  Modalities rows(std::span<const std::int64_t> index) const;
  /// The modalities of these names, in that order; features are shared, not copied. Throws ConfigError for
  /// an unknown name, ShapeError when the quality is not of the mask's shape.
  Modalities select(std::span<const std::string> wanted) const;

  /// Throws ShapeError when numbers of names, features, rows or the shapes of mask and quality disagree, DtypeError
  /// when the mask is not bool, ConfigError when two modalities share a name.
  void check() const;
};

/// x[index[j], ...] as a dense copy: (N, ...) -> (len(index), ...), any type, any strides.
/// Throws ConfigError for an index outside [0, N), ShapeError when x has no rows axis.
Tensor take_rows(const Tensor& x, std::span<const std::int64_t> index);

}  // namespace weft::data
