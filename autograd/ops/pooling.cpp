#include <weft/autograd/ops/pooling.h>

#include <algorithm>
#include <memory>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/sampling.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using Int = std::int64_t;
using kernels::AxisMap;

/// The input with a batch axis.
struct Batched {
  Tensor x;
  bool single;  ///< the batch axis was added
  Tensor out(const Tensor& y) const { return single ? squeeze(y, 0) : y; }
};

Batched batched(const char* op, const Tensor& x, int axes) {
  if (x.dim() != axes + 1 && x.dim() != axes + 2)
    throw ShapeError(text(op, ": input ", x.shape(), " is not (N, C, ...) or (C, ...) with ", axes, " spatial ",
                          axes == 1 ? "axis" : "axes"));
  const bool single = x.dim() == axes + 1;
  const Batched b{single ? unsqueeze(x, 0) : x, single};
  for (int a = 1; a < b.x.dim(); ++a)
    if (b.x.shape()[a] == 0) throw ShapeError(text(op, ": input ", x.shape(), " is empty in more than its batch"));
  return b;
}

/// Windows of one size that move by steps.
struct Steps {
  Dims input, kernel, stride, padding, dilation, output;
};

Steps steps(const char* op, const Tensor& x, int axes, const PerAxis& kernel, const PerAxis& stride,
            const PerAxis& padding, const PerAxis& dilation, bool ceil_mode) {
  Steps s;
  s.kernel = kernel.on(op, "kernel_size", axes, 1);
  s.stride = stride.empty() ? s.kernel : stride.on(op, "stride", axes, 1);
  s.padding = padding.on(op, "padding", axes, 0);
  s.dilation = dilation.on(op, "dilation", axes, 1);
  for (int a = 0; a < axes; ++a) {
    const Int n = x.shape()[2 + a], reach = s.dilation[a] * (s.kernel[a] - 1) + 1;
    if (2 * s.padding[a] > reach)
      throw ConfigError(text(op, ": padding ", s.padding[a], " is more than half of the window's ", reach));
    const Int room = n + 2 * s.padding[a] - reach;
    Int count = room < 0 ? 0 : (room + (ceil_mode ? s.stride[a] - 1 : 0)) / s.stride[a] + 1;
    if (room < 0 && ceil_mode && -room < s.stride[a]) count = 1;
    if (ceil_mode && count > 0 && (count - 1) * s.stride[a] >= n + s.padding[a]) --count;
    if (count < 1)
      throw ShapeError(text(op, ": along axis ", a, " of ", axes, " the window reaches over ", reach,
                            " elements, the padded input has ", n + 2 * s.padding[a]));
    detail::check_outputs(op, count);
    s.input.push_back(n);
    s.output.push_back(count);
  }
  return s;
}

std::vector<AxisMap> averages(const Steps& s, bool count_include_pad, std::optional<Int> divisor) {
  std::vector<AxisMap> maps;
  for (int a = 0; a < s.input.size(); ++a) {
    AxisMap map{2 + a, s.input[a]};
    for (Int o = 0; o < s.output[a]; ++o) {
      const Int start = o * s.stride[a] - s.padding[a], stop = std::min(start + s.kernel[a], s.input[a] + s.padding[a]);
      const Int first = std::max<Int>(start, 0), last = std::min(stop, s.input[a]);
      // The divisor is a product over the axes, so each axis takes its own part.
      const double n = divisor ? a == 0 ? static_cast<double>(*divisor) : 1.0
                               : static_cast<double>(count_include_pad ? stop - start : last - first);
      for (Int i = first; i < last; ++i) map.add(i, 1 / n);
      map.end_output();
    }
    maps.push_back(std::move(map));
  }
  return maps;
}

Tensor average(const char* op, int axes, const Tensor& input, const PerAxis& kernel, const AvgPoolOptions& options) {
  detail::require_floating(op, input);
  const Batched b = batched(op, input, axes);
  if (options.divisor_override && *options.divisor_override == 0)
    throw ConfigError(text(op, ": divisor_override is 0\n  help: choose another number, or leave it out"));
  const Steps s = steps(op, b.x, axes, kernel, options.stride, options.padding, 1, options.ceil_mode);
  return b.out(detail::linear_maps({op,
                                    {{"kernel_size", s.kernel},
                                     {"stride", s.stride},
                                     {"padding", s.padding},
                                     {"ceil_mode", options.ceil_mode},
                                     {"count_include_pad", options.count_include_pad},
                                     {"divisor_override", options.divisor_override.value_or(0)}}},
                                   b.x, averages(s, options.count_include_pad, options.divisor_override)));
}

std::vector<AxisMap> windows(const char* op, const Steps& s) {
  std::vector<AxisMap> maps;
  for (int a = 0; a < s.input.size(); ++a) {
    AxisMap map{2 + a, s.input[a]};
    for (Int o = 0; o < s.output[a]; ++o) {
      for (Int t = 0; t < s.kernel[a]; ++t) {
        const Int i = o * s.stride[a] - s.padding[a] + t * s.dilation[a];
        if (i >= 0 && i < s.input[a]) map.add(i, 1);
      }
      map.end_output();
      if (map.begin[static_cast<std::size_t>(o)] == map.begin[static_cast<std::size_t>(o) + 1])
        throw ShapeError(text(op, ": along axis ", a, " of ", s.input.size(), " window ", o,
                              " holds no element of the input's ", s.input[a]));
    }
    maps.push_back(std::move(map));
  }
  return maps;
}

Tensor largest(const Call& call, const Tensor& x, std::vector<AxisMap> given, Tensor* indices) {
  const bool gradient = grad_enabled() && x.requires_grad();
  const auto maps = std::make_shared<const std::vector<AxisMap>>(std::move(given));
  const std::vector<Tensor> found = record(
      call, {x},
      [maps, gradient, told = indices != nullptr](const Inputs& in, Keep& keep) {
        Tensor places;
        std::vector<Tensor> all{kernels::max_pool(in[0], *maps, told || gradient ? &places : nullptr)};
        keep(places);
        if (told) all.push_back(kernels::cast(places, DType::int64));
        return all;
      },
      [maps, shape = x.shape()](const Saved& s, std::span<const Tensor> dys) {
        const Tensor& dy = dys[0];
        if (!grad_enabled()) return kernels::max_pool_grad(dy, s.kept(0), *maps, shape);
        const Shape planes{shape[0], shape[1], -1};
        if (dy.numel() == 0) return zeros(shape, dy.dtype());
        const Tensor flat = zeros({shape[0], shape[1], shape.product() / (shape[0] * shape[1])}, dy.dtype());
        const Tensor places = kernels::cast(s.kept(0), DType::int64);
        return reshape(scatter_add(flat, 2, reshape(places, planes), reshape(dy, planes)), shape);
      });
  if (indices) *indices = found[1];
  return found[0];
}

Tensor maximum(const char* op, int axes, const Tensor& input, const PerAxis& kernel, const MaxPoolOptions& options,
               Tensor* indices) {
  const Batched b = batched(op, input, axes);
  const Steps s = steps(op, b.x, axes, kernel, options.stride, options.padding, options.dilation, options.ceil_mode);
  const Tensor y = largest({op,
                            {{"kernel_size", s.kernel},
                             {"stride", s.stride},
                             {"padding", s.padding},
                             {"dilation", s.dilation},
                             {"ceil_mode", options.ceil_mode}}},
                           b.x, windows(op, s), indices);
  if (indices) *indices = b.out(*indices);
  return b.out(y);
}

/// The windows that divide an input into so many parts.
std::vector<AxisMap> adaptive(const char* op, const Tensor& x, int axes, const PerAxis& output_size, Dims& sizes) {
  std::vector<AxisMap> maps;
  sizes = output_size.on(op, "output_size", axes, -1);
  for (int a = 0; a < axes; ++a) {
    const Int n = x.shape()[2 + a], m = sizes[a] = sizes[a] == -1 ? n : sizes[a];
    detail::check_outputs(op, m);
    AxisMap map{2 + a, n};
    for (Int o = 0; o < m; ++o) {
      const Int first = o * n / m, last = ((o + 1) * n + m - 1) / m;
      for (Int i = first; i < last; ++i) map.add(i, 1.0 / static_cast<double>(last - first));
      map.end_output();
    }
    maps.push_back(std::move(map));
  }
  return maps;
}

Tensor adaptive_average(const char* op, int axes, const Tensor& input, const PerAxis& output_size) {
  detail::require_floating(op, input);
  const Batched b = batched(op, input, axes);
  Dims sizes;
  std::vector<AxisMap> maps = adaptive(op, b.x, axes, output_size, sizes);
  return b.out(detail::linear_maps({op, {{"output_size", sizes}}}, b.x, std::move(maps)));
}

Tensor adaptive_maximum(const char* op, int axes, const Tensor& input, const PerAxis& output_size, Tensor* indices) {
  const Batched b = batched(op, input, axes);
  Dims sizes;
  std::vector<AxisMap> maps = adaptive(op, b.x, axes, output_size, sizes);
  const Tensor y = largest({op, {{"output_size", sizes}}}, b.x, std::move(maps), indices);
  if (indices) *indices = b.out(*indices);
  return b.out(y);
}

Tensor power_mean(const char* op, int axes, const Tensor& input, double norm, const PerAxis& kernel,
                  const LpPoolOptions& options) {
  if (norm == 0) throw ConfigError(text(op, ": norm_type is 0\n  help: choose a positive number"));
  const double count = static_cast<double>(kernel.on(op, "kernel_size", axes, 1).product());
  const Tensor means =
      average(op, axes, pow(input, norm), kernel, {.stride = options.stride, .ceil_mode = options.ceil_mode});
  return pow(means * count, 1 / norm);
}

}  // namespace

Tensor avg_pool1d(const Tensor& input, const PerAxis& kernel_size, const AvgPoolOptions& options) {
  return average("avg_pool1d", 1, input, kernel_size, options);
}
Tensor avg_pool2d(const Tensor& input, const PerAxis& kernel_size, const AvgPoolOptions& options) {
  return average("avg_pool2d", 2, input, kernel_size, options);
}
Tensor avg_pool3d(const Tensor& input, const PerAxis& kernel_size, const AvgPoolOptions& options) {
  return average("avg_pool3d", 3, input, kernel_size, options);
}

Tensor max_pool1d(const Tensor& input, const PerAxis& kernel_size, const MaxPoolOptions& options, Tensor* indices) {
  return maximum("max_pool1d", 1, input, kernel_size, options, indices);
}
Tensor max_pool2d(const Tensor& input, const PerAxis& kernel_size, const MaxPoolOptions& options, Tensor* indices) {
  return maximum("max_pool2d", 2, input, kernel_size, options, indices);
}
Tensor max_pool3d(const Tensor& input, const PerAxis& kernel_size, const MaxPoolOptions& options, Tensor* indices) {
  return maximum("max_pool3d", 3, input, kernel_size, options, indices);
}

Tensor adaptive_avg_pool1d(const Tensor& input, const PerAxis& output_size) {
  return adaptive_average("adaptive_avg_pool1d", 1, input, output_size);
}
Tensor adaptive_avg_pool2d(const Tensor& input, const PerAxis& output_size) {
  return adaptive_average("adaptive_avg_pool2d", 2, input, output_size);
}
Tensor adaptive_avg_pool3d(const Tensor& input, const PerAxis& output_size) {
  return adaptive_average("adaptive_avg_pool3d", 3, input, output_size);
}

Tensor adaptive_max_pool1d(const Tensor& input, const PerAxis& output_size, Tensor* indices) {
  return adaptive_maximum("adaptive_max_pool1d", 1, input, output_size, indices);
}
Tensor adaptive_max_pool2d(const Tensor& input, const PerAxis& output_size, Tensor* indices) {
  return adaptive_maximum("adaptive_max_pool2d", 2, input, output_size, indices);
}
Tensor adaptive_max_pool3d(const Tensor& input, const PerAxis& output_size, Tensor* indices) {
  return adaptive_maximum("adaptive_max_pool3d", 3, input, output_size, indices);
}

Tensor lp_pool1d(const Tensor& input, double norm_type, const PerAxis& kernel_size, const LpPoolOptions& options) {
  return power_mean("lp_pool1d", 1, input, norm_type, kernel_size, options);
}
Tensor lp_pool2d(const Tensor& input, double norm_type, const PerAxis& kernel_size, const LpPoolOptions& options) {
  return power_mean("lp_pool2d", 2, input, norm_type, kernel_size, options);
}
Tensor lp_pool3d(const Tensor& input, double norm_type, const PerAxis& kernel_size, const LpPoolOptions& options) {
  return power_mean("lp_pool3d", 3, input, norm_type, kernel_size, options);
}

}  // namespace weft
