#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <weft/tensor/tensor.h>

/// Windows that move over arrays (N, C, spatial...), one to three spatial axes: convolution, pooling and sampling,
/// without gradients. Results of convolution lie channels-last in memory; the others keep their input's layout.
namespace weft {

/// A number for each spatial axis, or one number for all of them: 3 or {3, 5}.
class PerAxis {
 public:
  PerAxis() noexcept = default;  ///< none: what the operation takes then is its own affair
  PerAxis(std::int64_t all) : values_{all} {}
  PerAxis(std::initializer_list<std::int64_t> each) : values_(each) {}
  explicit PerAxis(const Dims& each) : values_(each) {}

  bool empty() const noexcept { return values_.empty(); }
  /// The numbers for `axes` axes. Throws ConfigError, naming the operation and the option, when there are as many as
  /// neither 1 nor `axes`, or one is below `lowest` or above 2^30.
  Dims on(const char* op, const char* option, int axes, std::int64_t lowest) const;

 private:
  Dims values_;
};

namespace kernels {

// ---- memory layout
/// Whether x (N, C, spatial...) lies densely in memory with its channels innermost.
bool is_channels_last(const Tensor& x) noexcept;
/// x itself when it lies so, else such a copy.
Tensor channels_last(const Tensor& x);
Tensor empty_channels_last(const Shape& shape, DType dtype);

// ---- convolution
/// How positions of input, window and output belong together along each spatial axis:
/// input = output * stride - before + tap * dilation. What lies outside the input counts as 0.
struct Convolution {
  Dims input, kernel, output;
  Dims stride, before, dilation;
  std::int64_t groups = 1;
  bool relu = false;  ///< negative results become 0; of the forward pass alone
};
/// y (N, O, output...) of x (N, C, input...), weight (O, C / groups, kernel...) and bias (O,) or undefined.
Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const Convolution& c);
/// The transpose by x: (N, C, input...) of dy (N, O, output...).
Tensor convolution_input_grad(const Tensor& dy, const Tensor& weight, const Convolution& c);
/// The transpose by the weight: (O, C / groups, kernel...) of dy and x.
Tensor convolution_weight_grad(const Tensor& dy, const Tensor& x, const Convolution& c);
enum class ConvolutionPass : std::uint8_t { forward, input_grad, weight_grad };
/// The name of the library's implementation for float32 arrays of these sizes; "" where weft's own loops run.
std::string convolution_implementation(ConvolutionPass pass, std::int64_t batch, std::int64_t channels,
                                       std::int64_t results, const Convolution& c);

// ---- linear maps along an axis
/// A sparse matrix: output o is the sum of weight[j] * input[source[j]] over j in [begin[o], begin[o + 1]).
struct AxisMap {
  int axis;
  std::int64_t inputs;
  std::vector<std::int64_t> begin{0}, source{};
  std::vector<double> weight{};

  std::int64_t outputs() const noexcept { return static_cast<std::int64_t>(begin.size()) - 1; }
  /// Adds an entry to the output that is being described, and ends that.
  void add(std::int64_t from, double factor);
  void end_output();
};
AxisMap transposed(const AxisMap& map);
/// The maps one after the other, each along its own axis. Floating types; others where all weights are whole numbers.
Tensor resample(const Tensor& x, std::span<const AxisMap> maps);

// ---- largest values under windows
/// The largest element under each window and, unless `places` is null, where it lies: its int32 row-major position
/// among the spatial ones. One map per spatial axis says what each output looks at (its weights do not matter). The
/// first of equals wins; NaN is largest.
Tensor max_pool(const Tensor& x, std::span<const AxisMap> windows, Tensor* places);
/// dx of `shape` with each dy added at its place.
Tensor max_pool_grad(const Tensor& dy, const Tensor& places, std::span<const AxisMap> windows, const Shape& shape);

// ---- weighted points
/// y[n, c, p] = sum over k of weight[n, p, k] * x[n, c, places[n, p, k]], where a place of -1 counts as 0: x (N, C, S),
/// weight and places (N, P, K) -> (N, C, P).
Tensor points(const Tensor& x, const Tensor& weight, const Tensor& places);
/// The transpose by x: (N, C, S) of dy (N, C, P).
Tensor points_input_grad(const Tensor& dy, const Tensor& weight, const Tensor& places, std::int64_t size);
/// The transpose by the weight: (N, P, K) of dy and x.
Tensor points_weight_grad(const Tensor& dy, const Tensor& x, const Tensor& places);

/// What a point outside an image is worth.
enum class Outside : std::uint8_t { zeros, border, reflection };
/// Positions in [-1, 1] along an axis of `size` elements as places (0 is the first element's middle), those outside
/// brought in as `outside` says; `slope` receives the derivative (of the shape of `position`).
Tensor grid_places(const Tensor& position, std::int64_t size, Outside outside, bool align_corners, Tensor& slope);
/// The row-major places (N, P, taps^axes) of the elements around each point: along axis a those from
/// first[a][n, p] to first[a][n, p] + taps - 1 (floating whole numbers), brought in as `outside` says, or -1.
Tensor grid_neighbours(std::span<const Tensor> first, std::int64_t taps, const Dims& sizes, Outside outside,
                       bool align_corners);

}  // namespace kernels
}  // namespace weft
