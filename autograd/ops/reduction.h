#pragma once
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include <weft/tensor/tensor.h>

/// Reductions over some axes (all of them when none is given). Reduced axes vanish, or stay with
/// size 1 when `keep` is true. Negative axes count from the end. Throws ShapeError for an axis out
/// of range or named twice.
namespace weft {

/// The axes to reduce: sum(x, 1), sum(x, {0, -1}), and none named means all.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : axes_{axis} {}
  Axes(bool) = delete;  // sum(x, true) is a mistake: the flag comes third
  Axes(std::initializer_list<int> axes) : axes_(axes) {}
  Axes(std::vector<int> axes) : axes_(std::move(axes)) {}
  operator std::span<const int>() const noexcept { return axes_; }

 private:
  std::vector<int> axes_;
};

/// Elements chosen along an axis, and where each of them stood there (int64).
struct Selected {
  Tensor values, indices;
};
struct Extremes {
  Tensor min, max;
};

/// Sum; 0 of nothing; int64 for integers and bool. Gradient: dy, spread over the reduced axes.
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Arithmetic mean; NaN of nothing. Gradient: dy / n, spread.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Product; 1 of nothing; int64 for integers and bool. Gradient: dy * the product of all the others (right for any
/// number of zeros, since nothing is divided).
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Sum of what is not NaN. Gradient: as sum, 0 where x is NaN.
Tensor nansum(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Mean of what is not NaN; NaN where nothing else is left. Gradient: dy / n, 0 where x is NaN.
Tensor nanmean(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Variance: sum((x - mean)^2) / (n - correction). correction 1 is the unbiased estimate, 0 the mean square.
/// Gradient: dy * 2 (x - mean) / (n - correction).
Tensor var(const Tensor& x, const Axes& axes = {}, double correction = 1, bool keep = false);
/// The largest value; NaN if there is one. Throws ShapeError for nothing. Gradient: shared evenly by equals.
Tensor amax(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// The smallest value; as amax.
Tensor amin(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Both at once.
Extremes aminmax(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// The largest value along an axis and its place (the first of equals; NaN is largest). Throws ShapeError for nothing.
/// Gradient: to that place alone.
Selected max(const Tensor& x, int axis, bool keep = false);
/// The smallest value along an axis and its place (NaN is smallest); as max.
Selected min(const Tensor& x, int axis, bool keep = false);
/// The median of all numbers, the lower of two; NaN if there is one, or of nothing. Gradient: shared evenly by equals.
Tensor median(const Tensor& x);
/// The median along an axis and its place. Throws ShapeError for nothing. Gradient: to that place alone.
Selected median(const Tensor& x, int axis, bool keep = false);
/// log(sum(exp(x))), without overflow; -inf of nothing. Gradient: dy * softmax(x).
Tensor logsumexp(const Tensor& x, const Axes& axes, bool keep = false);
/// Sums x down to `shape`: the reverse of broadcasting from it. Throws ShapeError when x's shape is not a broadcast of
/// it. Gradient: dy, expanded.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// Whether any element is not zero (bool; no gradient).
Tensor any(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// Whether no element is zero (bool; no gradient).
Tensor all(const Tensor& x, const Axes& axes = {}, bool keep = false);
/// How many elements are not zero (int64; no gradient).
Tensor count_nonzero(const Tensor& x, const Axes& axes = {});
/// The place of the largest value along an axis (int64; the first of equals; no gradient).
Tensor argmax(const Tensor& x, int axis, bool keep = false);
/// The place of the smallest value along an axis.
Tensor argmin(const Tensor& x, int axis, bool keep = false);

namespace detail {
/// The reduced axes, checked, as a set of bits; all of them when none is named.
unsigned axis_bits(const char* op, std::span<const int> axes, int rank);
}  // namespace detail

}  // namespace weft
