#include <weft/autograd/ops/sampling.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

using Int = std::int64_t;
using kernels::AxisMap;

namespace detail {

void require_floating(const char* op, const Tensor& x) {
  if (!is_floating(x.dtype()))
    throw DtypeError(
        text(op, ": takes floating types, not ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
}

void check_outputs(const char* op, Int outputs) {
  constexpr Int most = 1 << 26;
  if (outputs > most)
    throw ShapeError(text(op, ": the result has ", outputs, " elements along one axis, more than ", most));
}

Tensor linear_maps(const Call& call, const Tensor& x, std::vector<AxisMap> given) {
  const auto maps = std::make_shared<const std::vector<AxisMap>>(std::move(given));
  return record(
      call, {x}, [=](const Inputs& in) { return kernels::resample(in[0], *maps); },
      [maps](const Saved&, const Tensor& dy) {
        std::vector<AxisMap> back;
        for (const AxisMap& map : *maps) back.push_back(transposed(map));
        return linear_maps({"resample"}, dy, std::move(back));
      });
}

}  // namespace detail

namespace {

/// Where the elements of a result lie along an axis of the input.
struct Scale {
  Int inputs, outputs;
  double step;  ///< of the input per element of the output
  bool align_corners;

  double place(Int o) const {
    if (align_corners)
      return outputs > 1 ? static_cast<double>(o) * static_cast<double>(inputs - 1) / static_cast<double>(outputs - 1)
                         : 0.0;
    return step * (static_cast<double>(o) + 0.5) - 0.5;
  }
};

/// The place floor(o * step), in float32 for tensors of that type, as where it was defined: close to a whole number
/// one digit decides.
Int nearest_place(const Scale& s, Int o, double shift, bool single) {
  const double exact = std::floor((static_cast<double>(o) + shift) * s.step);
  const double rounded = single ? std::floor(static_cast<double>((static_cast<float>(o) + static_cast<float>(shift)) *
                                                                 static_cast<float>(s.step)))
                                : exact;
  return std::clamp<Int>(static_cast<Int>(rounded), 0, s.inputs - 1);
}

/// The cubic's weight for an element at this distance.
double cubic_weight(double distance) {
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

AxisMap interpolation_map(int axis, const Scale& s, Interpolation mode, bool single) {
  AxisMap map{axis, s.inputs};
  for (Int o = 0; o < s.outputs; ++o) {
    switch (mode) {
      case Interpolation::nearest:
      case Interpolation::nearest_exact:
        map.add(nearest_place(s, o, mode == Interpolation::nearest ? 0 : 0.5, single), 1);
        break;
      case Interpolation::linear: {
        const double place = std::clamp(s.place(o), 0.0, static_cast<double>(s.inputs - 1));
        const Int low = static_cast<Int>(place);
        const double share = place - static_cast<double>(low);
        map.add(low, 1 - share);
        if (share > 0) map.add(low + 1, share);
        break;
      }
      case Interpolation::cubic: {
        const double place = s.place(o), low = std::floor(place);
        for (int t = -1; t <= 2; ++t)
          map.add(std::clamp<Int>(static_cast<Int>(low) + t, 0, s.inputs - 1), cubic_weight(place - low - t));
        break;
      }
      case Interpolation::area: {
        const Int first = o * s.inputs / s.outputs, last = ((o + 1) * s.inputs + s.outputs - 1) / s.outputs;
        for (Int i = first; i < last; ++i) map.add(i, 1.0 / static_cast<double>(last - first));
        break;
      }
    }
    map.end_output();
  }
  return map;
}

}  // namespace

Tensor interpolate(const Tensor& input, const InterpolateOptions& options) {
  const int axes = input.dim() - 2;
  if (axes < 1 || axes > 3)
    throw ShapeError(text("interpolate: input ", input.shape(), " is not (N, C, ...) with one to three spatial axes"));
  const bool nearest = options.mode == Interpolation::nearest || options.mode == Interpolation::nearest_exact;
  if (!nearest) detail::require_floating("interpolate", input);
  if (options.size.empty() == options.scale_factor.empty())
    throw ConfigError("interpolate: it takes just one of size and scale_factor");
  if (options.mode == Interpolation::cubic && axes != 2)
    throw ConfigError(text("interpolate: cubic takes two spatial axes, not ", axes));
  if (options.align_corners && options.mode != Interpolation::linear && options.mode != Interpolation::cubic)
    throw ConfigError("interpolate: align_corners is for linear and cubic only");
  Dims sizes;
  std::vector<double> factors = options.scale_factor;
  if (!options.size.empty()) {
    sizes = options.size.on("interpolate", "size", axes, 1);
  } else {
    if (factors.size() == 1) factors.assign(static_cast<std::size_t>(axes), factors[0]);
    if (factors.size() != static_cast<std::size_t>(axes))
      throw ConfigError(text("interpolate: scale_factor has ", factors.size(), " numbers for ", axes, " spatial axes"));
  }
  std::vector<AxisMap> maps;
  const bool single = input.dtype() != DType::float64;
  for (int a = 0; a < axes; ++a) {
    const Int n = input.shape()[2 + a];
    double step = 0;
    if (options.size.empty()) {
      const double factor = factors[static_cast<std::size_t>(a)];
      if (!(factor > 0))
        throw ConfigError(text("interpolate: scale_factor ", factor, "\n  help: choose a positive one"));
      sizes.push_back(static_cast<Int>(std::min(std::floor(static_cast<double>(n) * factor), 0x1p48)));
      if (!options.recompute_scale_factor) step = 1 / factor;
    }
    if (n < 1 || sizes[a] < 1)
      throw ShapeError(text("interpolate: along axis ", a, " of ", axes, " from ", n, " to ", sizes[a], " elements"));
    detail::check_outputs("interpolate", sizes[a]);
    if (step == 0) step = static_cast<double>(n) / static_cast<double>(sizes[a]);
    maps.push_back(interpolation_map(2 + a, {n, sizes[a], step, options.align_corners}, options.mode, single));
  }
  return detail::linear_maps(
      {"interpolate",
       {{"size", sizes}, {"mode", static_cast<int>(options.mode)}, {"align_corners", options.align_corners}}},
      input, std::move(maps));
}

namespace {

// The number sum over n, c, p, k of dy[n, c, p] * weight[n, p, k] * x[n, c, places[n, p, k]] is linear in each of the
// three. Its derivatives are the three functions below, and their derivatives are again these.

Tensor points_forward(const Tensor& x, const Tensor& weight, const Tensor& places);
Tensor points_input(const Tensor& dy, const Tensor& weight, const Tensor& places, Int size);
Tensor points_weight(const Tensor& dy, const Tensor& x, const Tensor& places);

Tensor points_forward(const Tensor& x, const Tensor& weight, const Tensor& places) {
  return record(
      {"grid_points", {}, saves::inputs}, {x, weight, places},
      [](const Inputs& in) { return kernels::points(in[0], in[1], in[2]); },
      [size = x.shape()[2]](const Saved& s, const Tensor& dy) {
        return gradients(s.needs(0) ? points_input(dy, s.input(1), s.input(2), size) : Tensor(),
                         s.needs(1) ? points_weight(dy, s.input(0), s.input(2)) : Tensor());
      });
}

Tensor points_input(const Tensor& dy, const Tensor& weight, const Tensor& places, Int size) {
  return record(
      {"grid_points_input", {{"size", size}}, saves::inputs}, {dy, weight, places},
      [size](const Inputs& in) { return kernels::points_input_grad(in[0], in[1], in[2], size); },
      [](const Saved& s, const Tensor& v) {
        return gradients(s.needs(0) ? points_forward(v, s.input(1), s.input(2)) : Tensor(),
                         s.needs(1) ? points_weight(s.input(0), v, s.input(2)) : Tensor());
      });
}

Tensor points_weight(const Tensor& dy, const Tensor& x, const Tensor& places) {
  return record(
      {"grid_points_weight", {}, saves::inputs}, {dy, x, places},
      [](const Inputs& in) { return kernels::points_weight_grad(in[0], in[1], in[2]); },
      [size = x.shape()[2]](const Saved& s, const Tensor& v) {
        return gradients(s.needs(0) ? points_forward(s.input(1), v, s.input(2)) : Tensor(),
                         s.needs(1) ? points_input(s.input(0), v, s.input(2), size) : Tensor());
      });
}

/// Places along one axis of the positions in a grid.
Tensor place(const Tensor& position, Int size, kernels::Outside outside, bool align_corners) {
  return record(
      {"grid_place", {{"size", size}, {"padding", static_cast<int>(outside)}, {"align_corners", align_corners}}},
      {position},
      [=](const Inputs& in, Keep& keep) {
        Tensor slope;
        Tensor y = kernels::grid_places(in[0], size, outside, align_corners, slope);
        keep(slope);
        return y;
      },
      [](const Saved& s, const Tensor& dy) { return dy * s.kept(0); });
}

/// The weights (N, P, taps) along one axis of the elements around a point, t (N, P) behind the first or second.
Tensor linear_weights(const Tensor& t) { return stack({1 - t, t}, 2); }
Tensor cubic_weights(const Tensor& t) {
  constexpr double a = -0.75;
  const auto near = [](const Tensor& d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](const Tensor& d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return stack({far(t + 1), near(t), near(1 - t), far(2 - t)}, 2);
}

}  // namespace

Tensor grid_sample(const Tensor& input, const Tensor& grid, const GridSampleOptions& options) {
  const int axes = input.dim() - 2;
  if (axes != 2 && axes != 3)
    throw ShapeError(text("grid_sample: input ", input.shape(), " is not (N, C, H, W) or (N, C, D, H, W)"));
  if (grid.dim() != axes + 2 || grid.shape().back() != axes || grid.shape()[0] != input.shape()[0])
    throw ShapeError(text("grid_sample: grid ", grid.shape(), " does not fit input ", input.shape(),
                          "\n  help: give each image a point of ", axes, " numbers per element of the result"));
  const bool cubic = options.mode == Interpolation::cubic, nearest = options.mode == Interpolation::nearest;
  if (!cubic && !nearest && options.mode != Interpolation::linear)
    throw ConfigError("grid_sample: it takes nearest, linear or cubic");
  if (cubic && axes != 2) throw ConfigError("grid_sample: cubic takes two spatial axes, not 3");
  const DType type = promote(input.dtype(), grid.dtype());
  if (!is_floating(type))
    throw DtypeError(text("grid_sample: input is ", input.dtype(), ", grid ", grid.dtype(),
                          "\n  help: convert them with to(x, DType::float32)"));
  Dims sizes;
  Shape shape{input.shape()[0], input.shape()[1]};
  for (int a = 0; a < axes; ++a) {
    sizes.push_back(input.shape()[2 + a]);
    shape.push_back(grid.shape()[1 + a]);
    if (sizes[a] < 1)
      throw ShapeError(text("grid_sample: input ", input.shape(), " must not have a spatial axis of size 0"));
  }
  const Int batch = shape[0], channels = shape[1], count = grid.numel() / std::max<Int>(batch * axes, 1);
  if (shape.product() == 0) return zeros(shape, type);
  const Tensor positions = reshape(to(grid, type), {batch, count, axes});
  // The grid names the last axis first. Cubic's windows are brought in element by element.
  const kernels::Outside outside = options.padding;
  std::vector<Tensor> first;
  Tensor weight;
  for (int a = 0; a < axes; ++a) {
    const Tensor at = place(select(positions, 2, axes - 1 - a), sizes[a], cubic ? kernels::Outside::zeros : outside,
                            options.align_corners);
    if (nearest) {
      first.push_back(round(detach(at)));
      continue;
    }
    const Tensor low = floor(detach(at)), t = at - low;
    first.push_back(cubic ? low - 1 : low);
    const Tensor along = cubic ? cubic_weights(t) : linear_weights(t);
    weight = weight.defined() ? reshape(unsqueeze(weight, 3) * unsqueeze(along, 2), {batch, count, -1}) : along;
  }
  if (nearest) weight = ones({batch, count, 1}, type);
  const Int taps = nearest ? 1 : cubic ? 4 : 2;
  const kernels::Outside beyond = cubic ? outside : kernels::Outside::zeros;
  const Tensor places = record({"grid_neighbours"}, first, [=, corners = options.align_corners](const Inputs& in) {
    return kernels::grid_neighbours(in.list(), taps, sizes, beyond, corners);
  });
  const Tensor x = reshape(to(input, type), {batch, channels, sizes.product()});
  return reshape(points_forward(x, weight, places), shape);
}

Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners) {
  const int axes = size.size() - 2;
  if ((axes != 2 && axes != 3) || !(theta.shape() == Shape{size[0], axes, axes + 1}))
    throw ShapeError(text("affine_grid: theta ", theta.shape(), " does not fit size ", size,
                          "\n  help: pass (N, 2, 3) with {N, C, h, w} or (N, 3, 4) with {N, C, d, h, w}"));
  Int count = 1;
  for (int a = 0; a < axes; ++a) {
    if (size[2 + a] < 0) throw ShapeError(text("affine_grid: a size in ", size, " is negative"));
    detail::check_outputs("affine_grid", size[2 + a]);
    count *= size[2 + a];
    detail::check_outputs("affine_grid", count);
  }
  std::vector<double> points;
  for (Int p = 0; p < count; ++p) {
    Int rest = p;
    for (int a = axes - 1; a >= 0; --a) {  // the last axis first
      const Int n = size[2 + a], i = rest % n;
      const double edge = align_corners ? 1 : static_cast<double>(n - 1) / static_cast<double>(n);
      points.push_back(n > 1 ? edge * (2 * static_cast<double>(i) / static_cast<double>(n - 1) - 1) : 0);
      rest /= n;
    }
    points.push_back(1);
  }
  Shape shape = size;
  shape.erase(1);
  shape.push_back(axes);
  const Tensor base = to(from(points, {count, axes + 1}), theta.dtype());
  return reshape(matmul(base, transpose(theta, 1, 2)), shape);
}

namespace {

/// Windows over two axes: element (tap t, window o) of an axis at t * windows + o.
struct Columns {
  Dims kernel, windows;
  std::vector<AxisMap> maps;
};

Columns columns(const char* op, const Dims& input, const PerAxis& kernel_size, const UnfoldOptions& options) {
  Columns c;
  c.kernel = kernel_size.on(op, "kernel_size", 2, 1);
  const Dims stride = options.stride.on(op, "stride", 2, 1), padding = options.padding.on(op, "padding", 2, 0),
             dilation = options.dilation.on(op, "dilation", 2, 1);
  for (int a = 0; a < 2; ++a) {
    const Int reach = dilation[a] * (c.kernel[a] - 1) + 1, room = input[a] + 2 * padding[a] - reach;
    if (room < 0)
      throw ShapeError(text(op, ": along axis ", a, " of 2 the window reaches over ", reach,
                            " elements, the padded input has ", input[a] + 2 * padding[a]));
    c.windows.push_back(room / stride[a] + 1);
    detail::check_outputs(op, c.windows[a]);
    detail::check_outputs(op, c.kernel[a] * c.windows[a]);
    AxisMap map{2 + a, input[a]};
    for (Int t = 0; t < c.kernel[a]; ++t)
      for (Int o = 0; o < c.windows[a]; ++o) {
        const Int i = o * stride[a] - padding[a] + t * dilation[a];
        if (i >= 0 && i < input[a]) map.add(i, 1);
        map.end_output();
      }
    c.maps.push_back(std::move(map));
  }
  return c;
}

}  // namespace

Tensor unfold(const Tensor& input, const PerAxis& kernel_size, const UnfoldOptions& options) {
  if (input.dim() == 3) return squeeze(unfold(unsqueeze(input, 0), kernel_size, options), 0);
  if (input.dim() != 4) throw ShapeError(text("unfold: input ", input.shape(), " is not (N, C, H, W) or (C, H, W)"));
  const Int batch = input.shape()[0], channels = input.shape()[1];
  Columns c = columns("unfold", {input.shape()[2], input.shape()[3]}, kernel_size, options);
  const Tensor y = detail::linear_maps({"unfold", {{"kernel_size", c.kernel}}}, input, std::move(c.maps));
  const Tensor apart = reshape(y, {batch, channels, c.kernel[0], c.windows[0], c.kernel[1], c.windows[1]});
  return reshape(permute(apart, {0, 1, 2, 4, 3, 5}), {batch, channels * c.kernel.product(), c.windows.product()});
}

Tensor fold(const Tensor& input, const PerAxis& output_size, const PerAxis& kernel_size, const UnfoldOptions& options) {
  if (input.dim() == 2) return squeeze(fold(unsqueeze(input, 0), output_size, kernel_size, options), 0);
  if (input.dim() != 3)
    throw ShapeError(text("fold: input ", input.shape(), " is not (N, C kh kw, L) or (C kh kw, L)"));
  const Columns c = columns("fold", output_size.on("fold", "output_size", 2, 1), kernel_size, options);
  const Int batch = input.shape()[0], taps = c.kernel.product(), channels = input.shape()[1] / taps;
  if (input.shape()[1] % taps != 0 || input.shape()[2] != c.windows.product())
    throw ShapeError(text("fold: input ", input.shape(), " is not (N, ", taps, " C, ", c.windows.product(),
                          ") for windows ", c.kernel));
  const Tensor apart = reshape(input, {batch, channels, c.kernel[0], c.kernel[1], c.windows[0], c.windows[1]});
  const Tensor x = reshape(permute(apart, {0, 1, 2, 4, 3, 5}),
                           {batch, channels, c.kernel[0] * c.windows[0], c.kernel[1] * c.windows[1]});
  return detail::linear_maps({"fold", {{"kernel_size", c.kernel}}}, x, {transposed(c.maps[0]), transposed(c.maps[1])});
}

namespace {

/// The sizes in front of the last three axes, or an error.
Shape leading(const char* op, const Tensor& x, Int factor) {
  if (x.dim() < 3) throw ShapeError(text(op, ": input ", x.shape(), " is not (..., C, H, W)"));
  if (factor < 1) throw ConfigError(text(op, ": the factor is ", factor, "\n  help: choose at least 1"));
  constexpr Int most = 1 << 16;  // its square times a size does not overflow
  if (factor > most) throw ConfigError(text(op, ": the factor is ", factor, "\n  help: choose at most ", most));
  Shape lead;
  for (int a = 0; a < x.dim() - 3; ++a) lead.push_back(x.shape()[a]);
  return lead;
}

Shape joined(Shape lead, std::initializer_list<Int> more) {
  for (const Int n : more) lead.push_back(n);
  return lead;
}

/// The leading axes in order, then these of those behind.
std::vector<int> order(int lead, std::initializer_list<int> behind) {
  std::vector<int> all;
  for (int a = 0; a < lead; ++a) all.push_back(a);
  for (const int a : behind) all.push_back(lead + a);
  return all;
}

}  // namespace

Tensor pixel_shuffle(const Tensor& input, Int r) {
  const Shape lead = leading("pixel_shuffle", input, r);
  const int n = lead.size();
  const Int channels = input.shape()[n], height = input.shape()[n + 1], width = input.shape()[n + 2];
  if (channels % (r * r) != 0)
    throw ShapeError(text("pixel_shuffle: input ", input.shape(), " has ", channels, " channels, which ", r * r,
                          " does not divide"));
  const Tensor apart = reshape(input, joined(lead, {channels / (r * r), r, r, height, width}));
  return reshape(permute(apart, order(n, {0, 3, 1, 4, 2})), joined(lead, {channels / (r * r), height * r, width * r}));
}

Tensor pixel_unshuffle(const Tensor& input, Int r) {
  const Shape lead = leading("pixel_unshuffle", input, r);
  const int n = lead.size();
  const Int channels = input.shape()[n], height = input.shape()[n + 1], width = input.shape()[n + 2];
  if (height % r != 0 || width % r != 0)
    throw ShapeError(text("pixel_unshuffle: input ", input.shape(), " is ", height, " by ", width, ", which ", r,
                          " does not divide"));
  const Tensor apart = reshape(input, joined(lead, {channels, height / r, r, width / r, r}));
  return reshape(permute(apart, order(n, {0, 2, 4, 1, 3})), joined(lead, {channels * r * r, height / r, width / r}));
}

Tensor channel_shuffle(const Tensor& input, Int groups) {
  if (input.dim() < 3) throw ShapeError(text("channel_shuffle: input ", input.shape(), " is not (N, C, ...)"));
  if (groups < 1) throw ConfigError(text("channel_shuffle: ", groups, " groups\n  help: choose at least 1"));
  const Int channels = input.shape()[1];
  if (channels % groups != 0)
    throw ShapeError(text("channel_shuffle: input ", input.shape(), " has ", channels, " channels for ", groups,
                          " groups\n  help: choose a number that divides them"));
  Shape apart = input.shape();
  apart[1] = groups;
  apart.insert(2, channels / groups);
  return reshape(transpose(reshape(input, apart), 1, 2), input.shape());
}

}  // namespace weft
