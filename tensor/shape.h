#pragma once
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

#include <weft/tensor/error.h>

namespace weft {

/// Up to `max_rank` whole numbers held in place: a tensor's sizes or its strides (in elements).
class Dims {
 public:
  static constexpr int max_rank = 8;

  Dims() noexcept = default;
  Dims(std::initializer_list<std::int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
  explicit Dims(std::span<const std::int64_t> values) {
    if (values.size() > static_cast<std::size_t>(max_rank)) too_many(values.size());
    rank_ = static_cast<int>(values.size());
    for (int i = 0; i < rank_; ++i) values_[i] = values[static_cast<std::size_t>(i)];
  }
  static Dims filled(int rank, std::int64_t value) {
    Dims d;
    if (rank > max_rank) too_many(static_cast<std::size_t>(rank));
    d.rank_ = rank;
    for (int i = 0; i < rank; ++i) d.values_[i] = value;
    return d;
  }

  int size() const noexcept { return rank_; }
  bool empty() const noexcept { return rank_ == 0; }
  std::int64_t operator[](int i) const noexcept { return values_[i]; }
  std::int64_t& operator[](int i) noexcept { return values_[i]; }
  std::int64_t back() const noexcept { return values_[rank_ - 1]; }
  std::int64_t& back() noexcept { return values_[rank_ - 1]; }
  const std::int64_t* begin() const noexcept { return values_; }
  const std::int64_t* end() const noexcept { return values_ + rank_; }
  std::int64_t* begin() noexcept { return values_; }
  std::int64_t* end() noexcept { return values_ + rank_; }

  void push_back(std::int64_t value) {
    if (rank_ == max_rank) too_many(max_rank + 1);
    values_[rank_++] = value;
  }
  void insert(int at, std::int64_t value) {
    push_back(value);
    for (int i = rank_ - 1; i > at; --i) values_[i] = values_[i - 1];
    values_[at] = value;
  }
  void erase(int at) noexcept {
    for (int i = at; i + 1 < rank_; ++i) values_[i] = values_[i + 1];
    --rank_;
  }

  /// Product of all values; 1 when there is none.
  std::int64_t product() const noexcept {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= values_[i];
    return n;
  }
  friend bool operator==(const Dims& a, const Dims& b) noexcept {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.values_[i] != b.values_[i]) return false;
    return true;
  }

 private:
  [[noreturn]] static void too_many(std::size_t rank);
  std::int64_t values_[max_rank];
  int rank_ = 0;
};

using Shape = Dims;
using Strides = Dims;

/// Prints [2, 3].
std::ostream& operator<<(std::ostream& out, const Dims& dims);

/// Strides of a dense row-major tensor: [2, 3, 4] -> [12, 4, 1].
Strides row_major(const Shape& shape) noexcept;

/// The common shape under broadcasting: sizes are aligned at the last axis and must be equal or 1.
/// Throws ShapeError naming `op` and both shapes.
Shape broadcast(const char* op, const Shape& a, const Shape& b);

/// Turns an axis in [-rank, rank) into one in [0, rank) (rank 0 counts as 1). Throws ShapeError naming `op`.
int normalize_axis(const char* op, int axis, int rank);

}  // namespace weft
