#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

using Int = std::int64_t;

PerAxis per_axis(const Args& a, std::string_view name) { return PerAxis(Dims(a.integers(name))); }

Interpolation mode_of(const std::string& word) {
  if (word == "nearest") return Interpolation::nearest;
  if (word == "nearest-exact") return Interpolation::nearest_exact;
  if (word == "linear" || word == "bilinear" || word == "trilinear") return Interpolation::linear;
  if (word == "bicubic") return Interpolation::cubic;
  if (word == "area") return Interpolation::area;
  throw ConfigError("interpolate: no mode is called " + word);
}

InterpolateOptions size_options(const Args& a) {
  InterpolateOptions o;
  if (a.has("size")) o.size = per_axis(a, "size");
  if (a.is_list("scale_factor"))
    for (const Value& each : a.value("scale_factor").as<Value::List>())
      o.scale_factor.push_back(each.holds<double>() ? each.as<double>() : static_cast<double>(each.as<Int>()));
  else if (a.has("scale_factor"))
    o.scale_factor = {a.real("scale_factor")};
  return o;
}

Tensor interpolated(const Args& a) {
  InterpolateOptions o = size_options(a);
  o.mode = mode_of(a.word("mode"));
  o.align_corners = a.has("align_corners") && a.flag("align_corners");
  o.recompute_scale_factor = a.has("recompute_scale_factor") && a.flag("recompute_scale_factor");
  return interpolate(a.tensor("input"), o);
}

/// How much element i of n counts for element o of m.
double share(const std::string& mode, Int i, Int n, Int o, Int m, double step, bool corners) {
  const auto d = [](Int v) { return static_cast<double>(v); };
  if (mode == "nearest") return i == std::min(n - 1, static_cast<Int>(std::floor(d(o) * step)));
  if (mode == "nearest-exact") return i == std::min(n - 1, static_cast<Int>(std::floor((d(o) + 0.5) * step)));
  if (mode == "area") {
    const double begin = std::floor(d(o * n) / d(m)), end = std::ceil(d((o + 1) * n) / d(m));
    return d(i) >= begin && d(i) < end ? 1 / (end - begin) : 0;
  }
  double place = corners ? (m > 1 ? d(o * (n - 1)) / d(m - 1) : 0) : (d(o) + 0.5) * step - 0.5;
  if (mode != "bicubic") return std::max(0.0, 1 - std::abs(std::clamp(place, 0.0, d(n - 1)) - d(i)));
  double sum = 0;
  for (Int k = static_cast<Int>(std::floor(place)) - 1; k <= static_cast<Int>(std::floor(place)) + 2; ++k) {
    const double t = std::abs(place - d(k));
    const double w = t <= 1 ? 1.25 * t * t * t - 2.25 * t * t + 1 : -0.75 * t * t * t + 3.75 * t * t - 6 * t + 3;
    if (std::clamp<Int>(k, 0, n - 1) == i) sum += w;
  }
  return sum;
}

Tensor by_shares(const Args& a) {
  const Tensor x = a.tensor("input");
  const InterpolateOptions o = size_options(a);
  const bool recompute = a.has("recompute_scale_factor") && a.flag("recompute_scale_factor");
  const bool corners = a.has("align_corners") && a.flag("align_corners");
  Tensor y = x;
  for (int axis = 2; axis < x.dim(); ++axis) {
    const Int n = x.shape()[axis];
    double step = 0;
    Int m = 0;
    if (a.has("size")) {
      m = o.size.on("interpolate", "size", x.dim() - 2, 1)[axis - 2];
    } else {
      const double factor = o.scale_factor[o.scale_factor.size() == 1 ? 0 : static_cast<std::size_t>(axis - 2)];
      m = static_cast<Int>(static_cast<double>(n) * factor);
      step = recompute ? 0 : 1 / factor;
    }
    if (step == 0) step = static_cast<double>(n) / static_cast<double>(m);
    std::vector<double> matrix;
    for (Int i = 0; i < n; ++i)
      for (Int j = 0; j < m; ++j) matrix.push_back(share(a.word("mode"), i, n, j, m, step, corners));
    y = transpose(matmul(transpose(y, axis, -1), weft::from(matrix, {n, m})), axis, -1);
  }
  return copy(y);
}

kernels::Outside outside_of(const std::string& word) {
  if (word == "zeros") return kernels::Outside::zeros;
  if (word == "border") return kernels::Outside::border;
  if (word == "reflection") return kernels::Outside::reflection;
  throw ConfigError("grid_sample: no padding is called " + word);
}

bool corners_of(const Args& a) { return a.has("align_corners") && a.flag("align_corners"); }

/// Point by point: the elements around it, each with the product of its shares.
Tensor at_points(const Args& a) {
  const Tensor x = a.tensor("input"), grid = a.tensor("grid");
  const std::string mode = a.word("mode"), padding = a.word("padding_mode");
  const bool corners = corners_of(a);
  const int axes = x.dim() - 2;
  const std::vector<double> from = to_vector<double>(x), points = to_vector<double>(grid);
  Shape shape{x.shape()[0], x.shape()[1]};
  for (int k = 0; k < axes; ++k) shape.push_back(grid.shape()[1 + k]);
  const Int channels = shape[1], count = shape.product() / std::max<Int>(1, shape[0] * channels);
  const auto brought_in = [&](double place, Int n) {
    const double low = corners ? 0 : -0.5, high = corners ? static_cast<double>(n - 1) : static_cast<double>(n) - 0.5;
    if (padding == "reflection" && low == high) return 0.0;
    while (padding == "reflection" && (place < low || place > high))
      place = place < low ? 2 * low - place : 2 * high - place;
    return padding == "zeros" ? place : std::clamp(place, 0.0, static_cast<double>(n - 1));
  };
  std::vector<double> y;
  for (Int i = 0; i < shape.product(); ++i) {
    const Int image = i / count / channels;
    std::vector<std::pair<Int, double>> terms{{i / count, 1.0}};  // place (-1: outside) and weight
    for (int k = 0; k < axes; ++k) {
      const Int n = x.shape()[2 + k];
      const auto size = static_cast<double>(n);
      const double position = points[static_cast<std::size_t>((image * count + i % count) * axes + axes - 1 - k)];
      double place = corners ? (position + 1) / 2 * (size - 1) : ((position + 1) * size - 1) / 2;
      if (mode != "bicubic") place = brought_in(place, n);
      std::vector<std::pair<double, double>> along;
      const double low = std::floor(place);
      if (mode == "nearest") along = {{std::nearbyint(place), 1.0}};
      if (mode == "bilinear") along = {{low, 1 - (place - low)}, {low + 1, place - low}};
      if (mode == "bicubic")
        for (int t = -1; t <= 2; ++t) {
          const double d = std::abs(place - low - t);
          along.emplace_back(brought_in(low + t, n), d <= 1 ? 1.25 * d * d * d - 2.25 * d * d + 1
                                                            : -0.75 * d * d * d + 3.75 * d * d - 6 * d + 3);
        }
      std::vector<std::pair<Int, double>> longer;
      for (const auto& [before, weight] : terms)
        for (const auto& [at, more] : along) {
          const bool inside = before >= 0 && at >= 0 && at < size;
          longer.emplace_back(inside ? before * n + static_cast<Int>(at) : -1, weight * more);
        }
      terms = longer;
    }
    double sum = 0;
    for (const auto& [at, weight] : terms)
      if (at >= 0) sum += weight * from[static_cast<std::size_t>(at)];
    y.push_back(sum);
  }
  return weft::from(y, shape);
}

UnfoldOptions window_options(const Args& a) {
  return {.dilation = per_axis(a, "dilation"), .padding = per_axis(a, "padding"), .stride = per_axis(a, "stride")};
}

/// Calls visit(column element, image element) for every element of a window that lies inside (N, C, H, W).
template <class Visit>
void each_window_element(const Args& a, const Shape& image, Visit&& visit) {
  const auto both = [&](const char* name) { return per_axis(a, name).on("unfold", name, 2, 0); };
  const Dims kernel = both("kernel_size"), dilation = both("dilation"), padding = both("padding"),
             stride = both("stride");
  Dims windows;
  for (int k = 0; k < 2; ++k)
    windows.push_back((image[2 + k] + 2 * padding[k] - dilation[k] * (kernel[k] - 1) - 1) / stride[k] + 1);
  Int column = 0;
  for (Int plane = 0; plane < image[0] * image[1]; ++plane)
    for (Int u = 0; u < kernel[0]; ++u)
      for (Int v = 0; v < kernel[1]; ++v)
        for (Int p = 0; p < windows[0]; ++p)
          for (Int q = 0; q < windows[1]; ++q, ++column) {
            const Int i = p * stride[0] - padding[0] + u * dilation[0],
                      j = q * stride[1] - padding[1] + v * dilation[1];
            const bool inside = i >= 0 && i < image[2] && j >= 0 && j < image[3];
            visit(static_cast<std::size_t>(column),
                  inside ? static_cast<std::size_t>((plane * image[2] + i) * image[3] + j) : std::size_t(-1));
          }
}

Tensor windows_as_columns(const Args& a) {
  const Tensor x = a.tensor("input");
  const bool single = x.dim() == 3;
  const Tensor image = single ? unsqueeze(x, 0) : x;
  const std::vector<double> from = to_vector<double>(x);
  std::vector<double> y;
  each_window_element(a, image.shape(),
                      [&](std::size_t, std::size_t at) { y.push_back(at == std::size_t(-1) ? 0 : from[at]); });
  const Int taps = per_axis(a, "kernel_size").on("unfold", "kernel_size", 2, 1).product();
  const Int batch = image.shape()[0], rows = image.shape()[1] * taps;
  // The number of windows does not follow from the columns when there is no image.
  const Int count = batch ? static_cast<Int>(y.size()) / (batch * rows)
                          : unfold(image, per_axis(a, "kernel_size"), window_options(a)).shape()[2];
  const Tensor columns = weft::from(y, {batch, rows, count});
  return single ? squeeze(columns, 0) : columns;
}

Tensor columns_added_up(const Args& a) {
  const Tensor x = a.tensor("input");
  const bool single = x.dim() == 2;
  const Tensor columns = single ? unsqueeze(x, 0) : x;
  const Dims size = per_axis(a, "output_size").on("fold", "output_size", 2, 1);
  const Int taps = per_axis(a, "kernel_size").on("fold", "kernel_size", 2, 1).product();
  const Shape image{columns.shape()[0], columns.shape()[1] / taps, size[0], size[1]};
  const std::vector<double> from = to_vector<double>(x);
  std::vector<double> y(static_cast<std::size_t>(image.product()));
  each_window_element(a, image, [&](std::size_t column, std::size_t at) {
    if (at != std::size_t(-1)) y[at] += from[column];
  });
  const Tensor result = weft::from(y, image);
  return single ? squeeze(result, 0) : result;
}

/// The result whose element (lead, c, i, j) is the one of x that `source` names.
Tensor moved(const Tensor& x, const Shape& last, const std::function<std::array<Int, 3>(Int, Int, Int)>& source) {
  Shape shape = x.shape();
  for (int k = 0; k < 3; ++k) shape[x.dim() - 3 + k] = last[k];
  const Int height = x.shape()[x.dim() - 2], width = x.shape()[x.dim() - 1], plane = last.product();
  const std::vector<double> from = to_vector<double>(x);
  std::vector<double> y;
  for (Int n = 0; n < shape.product(); ++n) {
    const Int c = n % plane / (last[1] * last[2]), i = n / last[2] % last[1], j = n % last[2];
    const auto [sc, si, sj] = source(c, i, j);
    y.push_back(from[static_cast<std::size_t>(n / plane * plane + (sc * height + si) * width + sj)]);
  }
  return weft::from(y, shape);
}

#define WEFT_GRID                                                                                                   \
  "tensor([[[[-0.71, 0.33], [0.12, -0.43], [1.37, 0.61]], [[-1.62, -1.27], [0.53, 2.61], [0.82, -0.08]]], [[[0.21," \
  " 0.74], [-0.39, 0.02], [0.91, -0.97]], [[-0.13, 1.21], [-2.3, 0.44], [0.05, 0.63]]]])"
#define WEFT_GRID_3D \
  "tensor([[[[[-0.71, 0.33, 0.12]], [[0.12, -0.43, -1.41]]], [[[1.37, 0.61, -0.2]], [[0.53, 2.61, 0.77]]]]])"

const Family samplings{
    Record{
        .name = "interpolate",
        .torch = {"nn.functional.interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None,"
                  " recompute_scale_factor=None)"},
        .call = interpolated,
        .samples = {"x(2, 3, 4), 3", "x(1, 2, 4, 5), [3, 7]", "x(1, 2, 4, 5), None, 1.7", "x(1, 2, 3, 2, 4), 5",
                    "x(2, 3, 4), 7, None, 'nearest-exact'", "x(1, 2, 4, 5), None, [0.6, 2.3], 'nearest-exact'",
                    "x(2, 3, 4), 7, None, 'linear'", "x(1, 2, 4, 5), [3, 7], None, 'bilinear', True",
                    "x(1, 2, 4, 5), None, 1.7, 'bilinear', False, True", "x(1, 2, 4, 5), None, 1.7, 'bilinear'",
                    "x(1, 2, 3, 2, 4), [5, 3, 2], None, 'trilinear'", "x(1, 2, 4, 5), [3, 8], None, 'bicubic'",
                    "x(1, 2, 4, 5), [6, 1], None, 'bicubic', True", "x(2, 2, 7), 3, None, 'area'",
                    "x(1, 2, 4, 5), None, 1.7, 'area'", "x(0, 2, 4, 5), 3, None, 'bilinear'"},
        .reference = [](const Args& a) { return by_shares(a); },
        .types = {DType::bfloat16},
        .errors = {{"x(1, 1, 4), None, 1e300",
                    "ShapeError: interpolate: the result has 281474976710656 elements along one axis, "
                    "more than 67108864"},
                   {"x(3, 4), 2",
                    "ShapeError: interpolate: input [3, 4] is not (N, C, ...) with one to three spatial axes"},
                   {"x(1, 1, 4)", "ConfigError: interpolate: it takes just one of size and scale_factor"},
                   {"x(1, 1, 4), 2, 2.0", "ConfigError: interpolate: it takes just one of size and scale_factor"},
                   {"x(1, 1, 4), 2, None, 'bicubic'", "ConfigError: interpolate: cubic takes two spatial axes, not 1"},
                   {"x(1, 1, 4), 2, None, 'area', True",
                    "ConfigError: interpolate: align_corners is for linear and cubic only"},
                   {"x(1, 1, 4), 0", "ConfigError: interpolate: size is 0\n  help: choose at least 1"},
                   {"x(1, 1, 4), None, [1, 2]",
                    "ConfigError: interpolate: scale_factor has 2 numbers for 1 spatial axes"},
                   {"x(1, 1, 4), None, -1", "ConfigError: interpolate: scale_factor -1\n  help: choose a positive one"},
                   {"x(1, 1, 4), None, 0.2", "ShapeError: interpolate: along axis 0 of 1 from 4 to 0 elements"},
                   {"tensor([[[1]]], 'int64'), 2, None, 'linear'",
                    "DtypeError: interpolate: takes floating types, not int64\n  help: convert it with to(x, "
                    "DType::float32)"}}},
    Record{.name = "interpolate/upsample_nearest",
           .torch = {"nn.functional.upsample_nearest(input, size=None, scale_factor=None)"},
           .call = [](const Args& a) { return interpolate(a.tensor("input"), size_options(a)); },
           .samples = {"x(1, 2, 3, 4), None, 2"},
           .types = {DType::uint8, DType::int64}},
    Record{.name = "interpolate/upsample_bilinear",
           .torch = {"nn.functional.upsample_bilinear(input, size=None, scale_factor=None)"},
           .call =
               [](const Args& a) {
                 InterpolateOptions o = size_options(a);
                 o.mode = Interpolation::linear;
                 o.align_corners = true;
                 return interpolate(a.tensor("input"), o);
               },
           .samples = {"x(1, 2, 3, 4), [5, 7]"}},
    Record{
        .name = "grid_sample",
        .torch = {"nn.functional.grid_sample(input, grid, mode='bilinear', padding_mode='zeros', align_corners=None)"},
        .call =
            [](const Args& a) {
              return grid_sample(a.tensor("input"), a.tensor("grid"),
                                 {.mode = mode_of(a.word("mode")),
                                  .padding = outside_of(a.word("padding_mode")),
                                  .align_corners = corners_of(a)});
            },
        .samples = {"x(2, 3, 4, 5), " WEFT_GRID, "x(2, 3, 4, 5), " WEFT_GRID ", 'bilinear', 'zeros', True",
                    "x(2, 3, 4, 5), " WEFT_GRID ", 'bilinear', 'border'",
                    "x(2, 3, 4, 5), " WEFT_GRID ", 'bilinear', 'reflection', True",
                    "x(2, 3, 4, 5), " WEFT_GRID ", 'bilinear', 'reflection'", "x(2, 3, 4, 5), " WEFT_GRID ", 'nearest'",
                    "x(2, 3, 4, 5), " WEFT_GRID ", 'nearest', 'border', True",
                    "x(2, 3, 4, 5), " WEFT_GRID ", 'bicubic'", "x(2, 3, 4, 5), " WEFT_GRID ", 'bicubic', 'border'",
                    "x(2, 3, 4, 5), " WEFT_GRID ", 'bicubic', 'reflection', True", "x(1, 2, 3, 4, 3), " WEFT_GRID_3D,
                    "x(1, 2, 3, 4, 3), " WEFT_GRID_3D ", 'bilinear', 'reflection'",
                    "x(1, 2, 3, 4, 3), " WEFT_GRID_3D ", 'nearest', 'border'", "x(0, 2, 3, 3), x(0, 2, 2, 2)",
                    "x(2, 0, 3, 3), unit(2, 1, 1, 2)"},
        .reference = [](const Args& a) { return at_points(a); },
        .errors = {{"x(2, 3, 4), x(2, 3, 2)",
                    "ShapeError: grid_sample: input [2, 3, 4] is not (N, C, H, W) or (N, C, D, H, W)"},
                   {"x(2, 3, 4, 4), x(2, 3, 3, 3)",
                    "ShapeError: grid_sample: grid [2, 3, 3, 3] does not fit input [2, 3, 4, 4]\n"
                    "  help: give each image a point of 2 numbers per element of the result"},
                   {"x(2, 3, 0, 4), x(2, 3, 3, 2)",
                    "ShapeError: grid_sample: input [2, 3, 0, 4] must not have a spatial axis of size 0"},
                   {"x(1, 1, 2, 2), x(1, 1, 1, 2), 'area'",
                    "ConfigError: grid_sample: it takes nearest, linear or cubic"},
                   {"x(1, 1, 2, 2, 2), x(1, 1, 1, 1, 3), 'bicubic'",
                    "ConfigError: grid_sample: cubic takes two spatial axes, not 3"},
                   {"tensor([[[[1]]]], 'int64'), tensor([[[[0, 0]]]], 'int64')",
                    "DtypeError: grid_sample: input is int64, grid int64\n  help: convert them with to(x, "
                    "DType::float32)"}}},
    Record{.name = "affine_grid",
           .torch = {"nn.functional.affine_grid(theta, size, align_corners=None)"},
           .call = [](const Args& a) { return affine_grid(a.tensor("theta"), a.shape("size"), corners_of(a)); },
           .samples = {"x(2, 2, 3), [2, 1, 3, 4]", "x(2, 2, 3), [2, 3, 1, 5], True", "x(1, 3, 4), [1, 1, 2, 3, 2]",
                       "x(0, 2, 3), [0, 1, 2, 2]"},
           .reference =
               [](const Args& a) {
                 const Shape size = a.shape("size");
                 const int axes = size.size() - 2;
                 const std::vector<double> theta = to_vector<double>(a.tensor("theta"));
                 std::vector<double> y;
                 Shape shape = size;
                 shape.erase(1);
                 const Int count = shape.product() / std::max<Int>(1, size[0]);
                 for (Int p = 0; p < shape.product(); ++p) {
                   std::vector<double> point{1};  // the last axis first, then 1
                   for (int k = 0; k < axes; ++k) {
                     Int behind = 1;
                     for (int j = k + 1; j < axes; ++j) behind *= size[2 + j];
                     const Int n = size[2 + k], i = p % count / behind % n;
                     double v = corners_of(a)
                                    ? (n > 1 ? -1 + 2 * static_cast<double>(i) / static_cast<double>(n - 1) : 0)
                                    : (2 * static_cast<double>(i) + 1) / static_cast<double>(n) - 1;
                     point.insert(point.begin(), v);
                   }
                   for (int r = 0; r < axes; ++r) {
                     double sum = 0;
                     for (int c = 0; c <= axes; ++c)
                       sum += theta[static_cast<std::size_t>((p / count * axes + r) * (axes + 1) + c)] *
                              point[static_cast<std::size_t>(c)];
                     y.push_back(sum);
                   }
                 }
                 shape.push_back(axes);
                 return Outputs(weft::from(y, shape));
               },
           .errors = {{"x(2, 2, 3), [2, 1, 3, -1]", "ShapeError: affine_grid: a size in [2, 1, 3, -1] is negative"},
                      {"x(2, 2, 3), [2, 1, 3, 100000000]",
                       "ShapeError: affine_grid: the result has 100000000 elements along one axis, "
                       "more than 67108864"},
                      {"x(2, 2, 2), [2, 1, 3, 3]",
                       "ShapeError: affine_grid: theta [2, 2, 2] does not fit size [2, 1, 3, 3]\n"
                       "  help: pass (N, 2, 3) with {N, C, h, w} or (N, 3, 4) with {N, C, d, h, w}"}}},
    Record{
        .name = "unfold/windows",
        .torch = {"nn.functional.unfold(input, kernel_size, dilation=1, padding=0, stride=1)"},
        .call = [](const Args& a) { return unfold(a.tensor("input"), per_axis(a, "kernel_size"), window_options(a)); },
        .samples = {"x(2, 3, 4, 5), 2", "x(1, 2, 5, 4), [2, 3], [2, 1], 1, [1, 2]", "x(2, 4, 4), 3, 1, [0, 1], 2",
                    "x(0, 2, 4, 4), 2"},
        .reference = [](const Args& a) { return windows_as_columns(a); },
        .types = {DType::bfloat16},
        .errors = {{"x(1, 1, 3, 3), 3, 1, 500000000",
                    "ShapeError: unfold: the result has 1000000001 elements along one axis, more than 67108864"},
                   {"x(3, 4), 2", "ShapeError: unfold: input [3, 4] is not (N, C, H, W) or (C, H, W)"},
                   {"x(1, 1, 3, 3), 4",
                    "ShapeError: unfold: along axis 0 of 2 the window reaches over 4 elements, the "
                    "padded input has 3"}}},
    Record{.name = "fold",
           .torch = {"nn.functional.fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)"},
           .call =
               [](const Args& a) {
                 return fold(a.tensor("input"), per_axis(a, "output_size"), per_axis(a, "kernel_size"),
                             window_options(a));
               },
           .samples = {"x(2, 12, 12), [4, 5], 2", "x(1, 12, 6), [5, 4], [2, 3], [2, 1], 1, 2", "x(8, 4), 3, 2"},
           .reference = [](const Args& a) { return columns_added_up(a); },
           .errors = {{"x(3), 3, 2", "ShapeError: fold: input [3] is not (N, C kh kw, L) or (C kh kw, L)"},
                      {"x(1, 6, 4), 3, 2", "ShapeError: fold: input [1, 6, 4] is not (N, 4 C, 4) for windows [2, 2]"}}},
    Record{
        .name = "pixel_shuffle",
        .torch = {"nn.functional.pixel_shuffle(input, upscale_factor)"},
        .call = [](const Args& a) { return pixel_shuffle(a.tensor("input"), a.integer("upscale_factor")); },
        .samples = {"x(2, 8, 2, 3), 2", "x(9, 1, 2), 3", "x(1, 4, 2, 2), 1", "x(1, 0, 1, 1), 1", "x(2, 1, 4, 1, 2), 2"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input");
              const Int r = a.integer("upscale_factor");
              const int n = x.dim();
              return Outputs(moved(x, {x.shape()[n - 3] / (r * r), x.shape()[n - 2] * r, x.shape()[n - 1] * r},
                                   [r](Int c, Int i, Int j) {
                                     return std::array<Int, 3>{(c * r + i % r) * r + j % r, i / r, j / r};
                                   }));
            },
        .types = {DType::int64, DType::bfloat16},
        .errors = {{"x(2, 2), 1", "ShapeError: pixel_shuffle: input [2, 2] is not (..., C, H, W)"},
                   {"x(6, 2, 2), 2",
                    "ShapeError: pixel_shuffle: input [6, 2, 2] has 6 channels, which 4 does not divide"},
                   {"x(6, 2, 2), 0", "ConfigError: pixel_shuffle: the factor is 0\n  help: choose at least 1"},
                   {"x(6, 2, 2), 4611686018427387904",
                    "ConfigError: pixel_shuffle: the factor is 4611686018427387904\n  help: choose at most 65536"}}},
    Record{.name = "pixel_unshuffle",
           .torch = {"nn.functional.pixel_unshuffle(input, downscale_factor)"},
           .call = [](const Args& a) { return pixel_unshuffle(a.tensor("input"), a.integer("downscale_factor")); },
           .samples = {"x(2, 2, 4, 6), 2", "x(1, 3, 6), 3", "x(1, 1, 1, 0), 1"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const Int r = a.integer("downscale_factor");
                 const int n = x.dim();
                 return Outputs(moved(x, {x.shape()[n - 3] * r * r, x.shape()[n - 2] / r, x.shape()[n - 1] / r},
                                      [r](Int c, Int i, Int j) {
                                        return std::array<Int, 3>{c / (r * r), i * r + c / r % r, j * r + c % r};
                                      }));
               },
           .errors = {{"x(1, 3, 4), 2",
                       "ShapeError: pixel_unshuffle: input [1, 3, 4] is 3 by 4, which 2 does not divide"}}},
    Record{.name = "channel_shuffle",
           .torch = {"nn.functional.channel_shuffle(input, groups)"},
           .call = [](const Args& a) { return channel_shuffle(a.tensor("input"), a.integer("groups")); },
           .samples = {"x(1, 4, 2, 3), 2", "x(2, 6, 3), 3", "x(0, 4, 2), 2", "x(2, 6, 1, 2, 2), 2"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const Int groups = a.integer("groups"), channels = x.shape()[1];
                 std::vector<Tensor> parts;
                 for (Int c = 0; c < channels; ++c)
                   parts.push_back(select(x, 1, c % groups * (channels / groups) + c / groups));
                 return Outputs(stack(parts, 1));
               },
           .types = {DType::int64},
           .errors = {{"x(2, 4), 2", "ShapeError: channel_shuffle: input [2, 4] is not (N, C, ...)"},
                      {"x(1, 4, 2), 0", "ConfigError: channel_shuffle: 0 groups\n  help: choose at least 1"},
                      {"x(1, 4, 2), 3",
                       "ShapeError: channel_shuffle: input [1, 4, 2] has 4 channels for 3 groups\n"
                       "  help: choose a number that divides them"}}},
};

}  // namespace
}  // namespace weft::tests
