#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <weft/tensor/codes.h>
#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Computation on tensors without gradients: numbers in, numbers out. autograd/ops builds every
/// public operation from these. All of them check shapes and types where their caller cannot, take
/// any strides, negative axes and empty tensors, and spread large work over threads. Results are
/// new dense tensors (elementwise: in the layout of the first full-sized input).
namespace weft::kernels {

// ---- elementwise
Tensor unary(Unary op, const Tensor& x);
/// Division of integers gives float32 (true division). NaN wins in maximum and minimum.
Tensor binary(Binary op, const Tensor& a, const Tensor& b);
Tensor binary(Binary op, const Tensor& a, const Scalar& b);
Tensor binary(Binary op, const Scalar& a, const Tensor& b);
/// condition ? a : b, all three broadcast; condition is bool.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor clamp(const Tensor& x, double low, double high);

// ---- copies and conversions
/// A dense row-major copy (always a new tensor).
Tensor copy(const Tensor& x);
/// x itself when already row-major, else copy(x).
Tensor contiguous(const Tensor& x);
Tensor cast(const Tensor& x, DType dtype);  ///< x itself when it has that type
/// dst[...] = src, broadcast and converted. dst may have any strides.
void copy_into(const Tensor& dst, const Tensor& src);
void fill(const Tensor& dst, const Scalar& value);
/// dst += scale * src, equal shapes and float types.
void accumulate(const Tensor& dst, const Tensor& src, double scale = 1);
/// In reverse order along the axes.
Tensor flip(const Tensor& x, std::span<const int> axes);
/// Matrices on the last two axes with 0 where column - row > offset (upper: < offset).
Tensor triangle(const Tensor& x, std::int64_t offset, bool upper);

// ---- reductions. `axes` empty means all of them.
Tensor reduce(Reduce op, const Tensor& x, std::span<const int> axes, bool keep);
/// Sums x down to `shape`, the reverse of broadcasting to x's shape.
Tensor sum_to(const Tensor& x, const Shape& shape);
Tensor argmax(const Tensor& x, int axis, bool keep);  ///< int64; the first of equals; NaN is largest
Tensor argmin(const Tensor& x, int axis, bool keep);

// ---- running results along one axis (float32 and bfloat16 are accumulated in double; sums and products of integers
// are int64)
Tensor cumsum(const Tensor& x, int axis);
Tensor cumprod(const Tensor& x, int axis);
Tensor logcumsumexp(const Tensor& x, int axis);
/// Running maxima (minima) and in `places` where each was met: the last of equals; NaN stays once it was met.
Tensor cumulative_extremum(const Tensor& x, int axis, bool largest, Tensor& places);
/// y[i] = b[i] + a[i] * y[i - 1] (`reverse`: y[i + 1]), with 0 before the first. a and b: one shape, one floating type.
Tensor recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse);

// ---- softmax family, along one axis
Tensor softmax(const Tensor& x, int axis);
Tensor log_softmax(const Tensor& x, int axis);
Tensor softmax_grad(const Tensor& dy, const Tensor& y, int axis);      ///< y * (dy - sum(dy * y))
Tensor log_softmax_grad(const Tensor& dy, const Tensor& y, int axis);  ///< dy - exp(y) * sum(dy)
Tensor logsumexp(const Tensor& x, int axis, bool keep);

/// Row losses -log softmax(logits)[target] of logits (N, C), int64 target (N,), optional weight (C,)
/// (else undefined); 0 where target == ignore. `log_probabilities` receives log softmax(logits).
/// Throws ConfigError when a target is outside [0, C).
Tensor cross_entropy_rows(const Tensor& logits, const Tensor& target, const Tensor& weight, std::int64_t ignore,
                          Tensor& log_probabilities);
/// d logits = scale[row] * weight[target] * (softmax - onehot(target)), 0 in ignored rows. scale is (N,) or one number.
Tensor cross_entropy_rows_grad(const Tensor& scale, const Tensor& log_probabilities, const Tensor& target,
                               const Tensor& weight, std::int64_t ignore);

/// What ctc_rows aligns with each sequence of the batch.
struct CtcLabels {
  std::vector<std::int64_t> labels;         ///< of all sequences, each in [0, classes)
  std::vector<std::int64_t> begin, counts;  ///< where those of each sequence begin, how many they are
  std::vector<std::int64_t> steps;          ///< how many steps of each sequence count
  std::int64_t blank;
};
/// Losses (N,) -log P(labels) of log-probabilities (T, N, C), summed over all alignments; infinite where there is none.
Tensor ctc_rows(const Tensor& log_probabilities, const CtcLabels& labels);
/// dy[n] * (exp(log_probabilities) - the share of the paths that are at a class at a step), 0 beyond the steps that
/// count, and where the loss is infinite when `zero_infinity`.
Tensor ctc_rows_grad(const Tensor& dy, const Tensor& log_probabilities, const CtcLabels& labels, bool zero_infinity);
/// Losses (N,) of multilabel_margin_loss; `slope` (N, C) receives their derivatives.
Tensor multilabel_margin_rows(const Tensor& x, const Tensor& target, Tensor& slope);

// ---- distances
/// The p-distance of each row of a (..., n, k) to each row of b (..., m, k): (..., n, m). Equal leading axes, one
/// floating type, p >= 0 or infinite.
Tensor distances(const Tensor& a, const Tensor& b, double p);
/// Its gradient to a; that to b comes with the roles exchanged and dy and y transposed.
Tensor distances_grad(const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& b, double p);

// ---- products
/// a (..., n, k) times b (..., k, m), batch axes broadcast; 1-D operands as in NumPy's matmul. Any
/// strides: transposed views are multiplied as they lie.
Tensor matmul(const Tensor& a, const Tensor& b);
/// x (..., in) W^T (out, in) + bias (out,) (or undefined).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
/// The name of the library's implementation for the product of two float32 matrices as they lie; "" where weft's own
/// loops run.
std::string matmul_implementation(const Tensor& a, const Tensor& b);

// ---- normalisation over the last `axes_count` axes / over groups of channels
/// y = (x - mean) * rstd * weight + bias; weight and bias may be undefined. mean and rstd: one per row.
Tensor layer_norm(const Tensor& x, int axes_count, const Tensor& weight, const Tensor& bias, double eps, Tensor& mean,
                  Tensor& rstd);
/// Gradients for the inputs that are asked for (others stay undefined).
void layer_norm_grad(const Tensor& dy, const Tensor& x, int axes_count, const Tensor& mean, const Tensor& rstd,
                     const Tensor& weight, Tensor* dx, Tensor* dweight, Tensor* dbias);
/// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps); weight may be undefined. rstd: one per row.
Tensor rms_norm(const Tensor& x, int axes_count, const Tensor& weight, double eps, Tensor& rstd);
void rms_norm_grad(const Tensor& dy, const Tensor& x, int axes_count, const Tensor& rstd, const Tensor& weight,
                   Tensor* dx, Tensor* dweight);
/// x (N, C, ...): as layer_norm over each of the groups of channels; weight and bias (C,), mean and rstd (N, groups).
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                  Tensor& mean, Tensor& rstd);
void group_norm_grad(const Tensor& dy, const Tensor& x, std::int64_t groups, const Tensor& mean, const Tensor& rstd,
                     const Tensor& weight, Tensor* dx, Tensor* dweight, Tensor* dbias);
/// Mean and variance (over n, not n - 1) of each channel of x (N, C, ...): float64 (C,).
void channel_moments(const Tensor& x, Tensor& mean, Tensor& variance);
/// y = (x - mean) * rstd * weight + bias, each (C,), for x (N, C, ...) in x's layout; weight and bias may be undefined.
Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& weight, const Tensor& bias);
/// `own`: mean and rstd are those of x itself, so that dx goes through them too.
void batch_norm_grad(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                     bool own, Tensor* dx, Tensor* dweight, Tensor* dbias);

// ---- moving data
/// Joins along an axis; all other sizes equal; types promoted.
Tensor cat(std::span<const Tensor> parts, int axis);
/// x[..., index[j], ...] along an axis; index is 1-D int64. Throws ConfigError for an index out of range
/// (negative ones count from the end).
Tensor index_select(const Tensor& x, int axis, const Tensor& index);
/// dst[..., index[j], ...] += src[..., j, ...] along an axis, in place.
void index_add(const Tensor& dst, int axis, const Tensor& index, const Tensor& src);
/// dst[..., index[j], ...] = src[..., j, ...] along an axis, in place; the last of several for one place stays.
void index_copy(const char* op, const Tensor& dst, int axis, const Tensor& index, const Tensor& src);
/// The places in row-major order of `sizes` that index tensors, one per axis and broadcast together, name (int64).
Tensor flat_places(const char* op, std::span<const Tensor> indices, const Shape& sizes);
/// out[i][j] = x[index[i][j]][j] for axis 0, and so on (index has x's rank).
Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// What becomes of an element and the number scattered to it; NaN wins in max and min.
enum class Scatter : std::uint8_t { assign, add, mul, max, min };
/// dst[index[i][j]][j] = src[i][j] (or joined with it) for axis 0, and so on, in place and in the order of the index.
void scatter(const char* op, const Tensor& dst, int axis, const Tensor& index, const Tensor& src, Scatter how);
/// dst[index[i][j]][j] += src[i][j] for axis 0, in place.
void scatter_add(const Tensor& dst, int axis, const Tensor& index, const Tensor& src);
/// The flat row-major positions of the true elements (int64).
Tensor nonzero_flat(const Tensor& mask);

// ---- order along one axis: equal values in the order of their places, NaN counts as the largest
/// Positions that would sort x.
Tensor argsort(const Tensor& x, int axis, bool descending);
/// x sorted; `places` receives where each value stood.
Tensor sort(const Tensor& x, int axis, bool descending, Tensor& places);
/// The k largest (smallest) in order, 0 <= k <= size; `places` receives where each stood.
Tensor topk(const Tensor& x, std::int64_t k, int axis, bool largest, Tensor& places);
/// The k-th smallest, 1 <= k <= size, and its place; the axis stays with size 1.
Tensor kthvalue(const Tensor& x, std::int64_t k, int axis, Tensor& places);
/// The lower median, or the first NaN if there is one, and its place; the axis stays with size 1.
Tensor median(const Tensor& x, int axis, Tensor& places);
/// For each value how many of the ascending `sequence` are smaller (`right`: not larger), int64. sequence (n,), or
/// (..., n) beside values (..., m); `sorter` (like sequence, int64, or undefined) puts it in order.
Tensor searchsorted(const Tensor& sequence, const Tensor& values, bool right, const Tensor& sorter);
/// How often each number 0, 1, ... stands in `ids` (n,), or in float64 the sum of its weights (n,) (or undefined). As
/// many as `least`, or as the largest id needs. Throws ConfigError for a negative id.
Tensor bincount(const Tensor& ids, const Tensor& weights, std::int64_t least);
/// How many values lie in each of `bins` equal parts of [low, high], in x's type (float32 or float64).
Tensor histogram(const Tensor& x, std::int64_t bins, double low, double high);

// ---- random
enum class Distribution : std::uint8_t { uniform, normal, bernoulli };
/// Fills dst with numbers `offset`, offset+1, ... of stream `seed`: uniform in [a, b), normal (mean a,
/// deviation b), or 1 with probability a.
void random_fill(const Tensor& dst, Distribution distribution, double a, double b, std::uint64_t seed,
                 std::uint64_t offset);

// ---- optimiser steps, in place on float32 or float64 tensors of one shape, contiguous or not
struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;     ///< AdamW: the decay shrinks the parameter itself instead of joining the gradient
  std::int64_t step;  ///< counts from 1
};
void adam(const Tensor& parameter, const Tensor& gradient, const Tensor& first, const Tensor& second,
          const AdamStep& s);
struct SgdStep {
  double lr, momentum, dampening, weight_decay;
  bool nesterov;
  bool first;  ///< the velocity is not yet set
};
/// `velocity` may be undefined when momentum is 0.
void sgd(const Tensor& parameter, const Tensor& gradient, const Tensor& velocity, const SgdStep& s);

/// The instruction-set level in use: "v2", "v3", "v4" or "generic".
const char* level() noexcept;
/// All levels this binary holds that this CPU can run.
std::span<const char* const> available_levels() noexcept;
/// Switches the level (for tests). Throws ConfigError for one that is not available.
void set_level(const char* level);
/// Whether oneDNN may be used where weft was built with it: yes, unless WEFT_ONEDNN is 0 in the environment.
bool uses_onednn() noexcept;
void use_onednn(bool on) noexcept;

}  // namespace weft::kernels
