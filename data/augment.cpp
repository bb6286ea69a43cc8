#include <weft/data/augment.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <weft/tensor/create.h>
#include <weft/tensor/error.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

namespace weft::data {
namespace {

struct Draw {
  // Where a pixel of the result comes from: (x, y) -> (xx x + xy y + x0, yx x + yy y + y0).
  double xx, xy, x0, yx, yy, y0;
  float brightness, contrast, noise;
};

/// Uniform in [-1, 1).
double either(Generator& g) { return 2 * g.uniform() - 1; }

Draw draw(const AugmentOptions& o, Generator& g, double height, double width, double out_height, double out_width) {
  // Always the same numbers in the same order, so that one option does not change what the others do.
  const double across = g.uniform() < o.flip ? -1 : 1, down = g.uniform() < o.flip_vertical ? -1 : 1;
  const double span = 2.0 * static_cast<double>(o.shift) + 1;
  const double dx = std::floor(g.uniform() * span) - static_cast<double>(o.shift);
  const double dy = std::floor(g.uniform() * span) - static_cast<double>(o.shift);
  const double angle = either(g) * o.rotate * 3.14159265358979323846 / 180;
  const double size = 1 / (1 + either(g) * o.zoom);
  const double left = std::floor(g.uniform() * (width - out_width + 1));
  const double top = std::floor(g.uniform() * (height - out_height + 1));
  Draw d{};
  const double c = std::cos(angle) * size, s = std::sin(angle) * size;
  d.xx = across * c;
  d.xy = across * -s;
  d.yx = down * s;
  d.yy = down * c;
  const double mx = (width - 1) / 2, my = (height - 1) / 2;  // the middle stays where it is
  const double from_x = left - mx - dx, from_y = top - my - dy;
  d.x0 = d.xx * from_x + d.xy * from_y + mx;
  d.y0 = d.yx * from_x + d.yy * from_y + my;
  d.brightness = static_cast<float>(either(g) * o.brightness);
  d.contrast = static_cast<float>(1 + either(g) * o.contrast);
  d.noise = static_cast<float>(g.uniform() * o.noise);
  return d;
}

struct Sizes {
  std::int64_t height, width, out_height, out_width;
};

void move(float* to, const float* from, const Draw& d, const Sizes& s, float fill) {
  const auto at = [&](std::int64_t y, std::int64_t x) {
    return y < 0 || x < 0 || y >= s.height || x >= s.width ? fill : from[y * s.width + x];
  };
  for (std::int64_t i = 0; i < s.out_height; ++i)
    for (std::int64_t j = 0; j < s.out_width; ++j) {
      const auto u = static_cast<double>(j), v = static_cast<double>(i);
      const double x = d.xx * u + d.xy * v + d.x0, y = d.yx * u + d.yy * v + d.y0;
      const double x_low = std::floor(x), y_low = std::floor(y);
      const auto fx = static_cast<float>(x - x_low), fy = static_cast<float>(y - y_low);
      const auto ix = static_cast<std::int64_t>(x_low), iy = static_cast<std::int64_t>(y_low);
      float value = at(iy, ix);
      if (fx != 0 || fy != 0) {
        const float above = value + fx * (at(iy, ix + 1) - value), left = at(iy + 1, ix);
        const float below = left + fx * (at(iy + 1, ix + 1) - left);
        value = above + fy * (below - above);
      }
      to[i * s.out_width + j] = value;
    }
}

void check(const Tensor& images, const AugmentOptions& o) {
  if (images.dim() < 3) throw ShapeError(text("augment: images ", images.shape(), " have no axes (N, ..., H, W)"));
  if (images.dtype() != DType::float32)
    throw DtypeError(
        text("augment: images are ", images.dtype(), ", not float32\n  help: convert them with to(x, DType::float32)"));
  for (const auto& [name, p] : {std::pair{"flip", o.flip}, std::pair{"flip_vertical", o.flip_vertical}})
    if (!(p >= 0 && p <= 1)) throw ConfigError(text("augment: ", name, " ", p, " is not a probability"));
  for (const auto& [name, p] : {std::pair{"zoom", o.zoom}, std::pair{"contrast", o.contrast}})
    if (!(p >= 0 && p < 1)) throw ConfigError(text("augment: ", name, " ", p, " is not from 0 to below 1"));
  for (const auto& [name, v] :
       {std::pair{"shift", static_cast<double>(o.shift)}, std::pair{"rotate", o.rotate}, std::pair{"noise", o.noise},
        std::pair{"brightness", o.brightness}, std::pair{"crop_height", static_cast<double>(o.crop_height)},
        std::pair{"crop_width", static_cast<double>(o.crop_width)}})
    if (!(v >= 0 && std::isfinite(v))) throw ConfigError(text("augment: ", name, " ", v, " is not 0 or more"));
}

}  // namespace

Tensor augment(const Tensor& images, const AugmentOptions& options, Generator& generator) {
  check(images, options);
  const int last = images.dim() - 1;
  Sizes s{images.size(last - 1), images.size(last), 0, 0};
  s.out_height = options.crop_height > 0 ? options.crop_height : s.height;
  s.out_width = options.crop_width > 0 ? options.crop_width : s.width;
  if (s.out_height > s.height || s.out_width > s.width)
    throw ShapeError(
        text("augment: a crop of ", s.out_height, " x ", s.out_width, " does not fit into images ", images.shape()));
  Shape shape = images.shape();
  shape[last - 1] = s.out_height;
  shape[last] = s.out_width;
  const Tensor in = kernels::contiguous(images);
  Tensor out = empty(shape);
  if (out.numel() == 0) return out;

  const std::int64_t count = in.size(0), planes = in.numel() / (count * s.height * s.width);
  std::vector<Draw> draws;
  for (std::int64_t i = 0; i < count; ++i)
    draws.push_back(draw(options, generator, static_cast<double>(s.height), static_cast<double>(s.width),
                         static_cast<double>(s.out_height), static_cast<double>(s.out_width)));
  const Tensor normal = options.noise > 0 ? randn(shape, 0, 1, DType::float32, generator) : Tensor();
  const float* from = in.data<float>();
  float* to = out.mutable_data<float>();
  const float* noise = normal.defined() ? normal.data<float>() : nullptr;
  const std::int64_t area = s.height * s.width, out_area = s.out_height * s.out_width, size = planes * out_area;
  const auto fill = static_cast<float>(options.fill);
  const bool levels = options.brightness > 0 || options.contrast > 0;
  parallel_for(count, std::max<std::int64_t>(1, grain / (8 * size)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Draw& d = draws[static_cast<std::size_t>(i)];
      float* image = to + i * size;
      for (std::int64_t p = 0; p < planes; ++p) move(image + p * out_area, from + (i * planes + p) * area, d, s, fill);
      if (levels) {
        double sum = 0;
        for (std::int64_t k = 0; k < size; ++k) sum += static_cast<double>(image[k]);
        const auto mean = static_cast<float>(sum / static_cast<double>(size));
        for (std::int64_t k = 0; k < size; ++k) image[k] = (image[k] - mean) * d.contrast + mean + d.brightness;
      }
      if (noise)
        for (std::int64_t k = 0; k < size; ++k) image[k] += d.noise * noise[i * size + k];
    }
  });
  return out;
}

}  // namespace weft::data
