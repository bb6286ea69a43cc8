#pragma once
#include <cstdint>
#include <optional>

#include <weft/tensor/convolution.h>

/// Pooling over one, two or three spatial axes: each result comes from a window of the input. input (N, C, spatial...),
/// or (C, spatial...) for a single one. Along an axis of n elements there are
/// (n + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1 windows, rounded down, or up with `ceil_mode` (but
/// none begins behind the input). Results keep the input's layout in memory. Throws ShapeError where no window fits,
/// ConfigError for options out of range, such as a padding of more than half a window.
namespace weft {

struct AvgPoolOptions {
  PerAxis stride{};  ///< the window's size when left out
  PerAxis padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;                   ///< padded zeros count as elements
  std::optional<std::int64_t> divisor_override{};  ///< divides by this instead of by the number of elements
};
/// The mean of each window. Gradient: dy / n, spread over the window.
Tensor avg_pool1d(const Tensor& input, const PerAxis& kernel_size, const AvgPoolOptions& options = {});
/// The same over two axes.
Tensor avg_pool2d(const Tensor& input, const PerAxis& kernel_size, const AvgPoolOptions& options = {});
/// The same over three axes.
Tensor avg_pool3d(const Tensor& input, const PerAxis& kernel_size, const AvgPoolOptions& options = {});

struct MaxPoolOptions {
  PerAxis stride{};  ///< the window's size when left out
  PerAxis padding = 0;
  PerAxis dilation = 1;  ///< the distance between a window's elements
  bool ceil_mode = false;
};
/// The largest element of each window; NaN if there is one. `indices`, unless null, receives where it lies: its int64
/// row-major position among the spatial ones. Gradient: to that element, the first of equals.
Tensor max_pool1d(const Tensor& input, const PerAxis& kernel_size, const MaxPoolOptions& options = {},
                  Tensor* indices = nullptr);
/// The same over two axes.
Tensor max_pool2d(const Tensor& input, const PerAxis& kernel_size, const MaxPoolOptions& options = {},
                  Tensor* indices = nullptr);
/// The same over three axes.
Tensor max_pool3d(const Tensor& input, const PerAxis& kernel_size, const MaxPoolOptions& options = {},
                  Tensor* indices = nullptr);

/// As many windows as `output_size` says (-1: as many as the input has elements): window o of m over n elements reaches
/// from floor(o n / m) to ceil((o + 1) n / m). The mean of each. Gradient: dy / n, spread over the window.
Tensor adaptive_avg_pool1d(const Tensor& input, const PerAxis& output_size);
/// The same over two axes.
Tensor adaptive_avg_pool2d(const Tensor& input, const PerAxis& output_size);
/// The same over three axes.
Tensor adaptive_avg_pool3d(const Tensor& input, const PerAxis& output_size);
/// The largest element of windows as those of adaptive_avg_pool1d; `indices` and gradient as in max_pool1d.
Tensor adaptive_max_pool1d(const Tensor& input, const PerAxis& output_size, Tensor* indices = nullptr);
/// The same over two axes.
Tensor adaptive_max_pool2d(const Tensor& input, const PerAxis& output_size, Tensor* indices = nullptr);
/// The same over three axes.
Tensor adaptive_max_pool3d(const Tensor& input, const PerAxis& output_size, Tensor* indices = nullptr);

struct LpPoolOptions {
  PerAxis stride{};  ///< the window's size when left out
  bool ceil_mode = false;
};
/// (the sum of x^p over each window)^(1/p), p = norm_type; the sum of a window that ceil_mode cut short is raised as if
/// it were whole. Gradient: dy * (x / y)^(p - 1).
Tensor lp_pool1d(const Tensor& input, double norm_type, const PerAxis& kernel_size, const LpPoolOptions& options = {});
/// The same over two axes.
Tensor lp_pool2d(const Tensor& input, double norm_type, const PerAxis& kernel_size, const LpPoolOptions& options = {});
/// The same over three axes.
Tensor lp_pool3d(const Tensor& input, double norm_type, const PerAxis& kernel_size, const LpPoolOptions& options = {});

}  // namespace weft
