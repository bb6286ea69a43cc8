#include <weft/tests/unit/kernels_testing.h>

#include <weft/autograd/ops.h>
#include <weft/tensor/convolution.h>

/// Batch normalisation and pooling in both memory orders, against plain loops.
using namespace kernels_testing;

namespace {

Tensor noise(const Shape& shape, DType type, std::uint64_t seed, double mean = 0) {
  const Tensor x = empty(shape, type);
  kernels::random_fill(x, kernels::Distribution::normal, mean, 1, seed, 0);
  return x;
}

/// The same numbers in row-major and in channels-last memory, and with gaps.
std::vector<Tensor> orders(const Tensor& x) {
  std::vector<Tensor> all = layouts(x);
  if (x.dim() > 2) all.push_back(kernels::channels_last(x));
  return all;
}

/// Calls visit(place, channel) for all elements in row-major order.
template <class Visit>
void each_element(const Shape& s, Visit&& visit) {
  const Int spots = s.product() / std::max<Int>(s[0] * s[1], 1);
  for (Int i = 0; i < s.product(); ++i) visit(static_cast<std::size_t>(i), static_cast<std::size_t>(i / spots % s[1]));
}

struct Normalized {
  std::vector<double> mean, variance, y, dx, dweight, dbias;
};
Normalized normalized(const Tensor& x, const Tensor& dy, const Tensor& weight, const Tensor& bias, double eps) {
  const std::vector<double> v = values(x), g = values(dy), w = values(weight), b = values(bias);
  const auto channels = static_cast<std::size_t>(x.shape()[1]);
  const double n = static_cast<double>(x.numel() / x.shape()[1]);
  Normalized r;
  for (auto* each : {&r.mean, &r.variance, &r.dweight, &r.dbias}) each->assign(channels, 0);
  for (auto* each : {&r.y, &r.dx}) each->assign(v.size(), 0);
  each_element(x.shape(), [&](std::size_t i, std::size_t c) { r.mean[c] += v[i] / n; });
  each_element(x.shape(), [&](std::size_t i, std::size_t c) { r.variance[c] += std::pow(v[i] - r.mean[c], 2) / n; });
  const auto unit = [&](std::size_t i, std::size_t c) { return (v[i] - r.mean[c]) / std::sqrt(r.variance[c] + eps); };
  each_element(x.shape(), [&](std::size_t i, std::size_t c) {
    r.y[i] = unit(i, c) * w[c] + b[c];
    r.dweight[c] += g[i] * unit(i, c);
    r.dbias[c] += g[i];
  });
  each_element(x.shape(), [&](std::size_t i, std::size_t c) {
    r.dx[i] = w[c] / std::sqrt(r.variance[c] + eps) * (g[i] - r.dbias[c] / n - unit(i, c) * r.dweight[c] / n);
  });
  return r;
}

kernels::AxisMap windows(int axis, Int inputs, Int kernel, Int stride, Int padding) {
  kernels::AxisMap map{axis, inputs};
  for (Int o = 0; o * stride - padding + kernel <= inputs + padding; ++o) {
    for (Int i = std::max<Int>(o * stride - padding, 0); i < std::min(inputs, o * stride - padding + kernel); ++i)
      map.add(i, 1);
    map.end_output();
  }
  return map;
}

}  // namespace

TEST_CASE("kernels: batch normalisation and its gradients in every memory order") {
  constexpr double eps = 1e-3;
  each_level([] {
    for (const DType type : {DType::float32, DType::float64})
      for (const Shape& shape : {Shape{4, 3}, Shape{300, 17}, Shape{2, 1, 5}, Shape{5, 3, 1, 1}, Shape{1, 17, 9, 7},
                                 Shape{8, 64, 13, 13}, Shape{3, 300, 2, 1, 3}, Shape{2, 3, 70, 70}}) {
        CAPTURE(shape.size());
        const Tensor x = noise(shape, type, 1, 3), dy = noise(shape, type, 2), weight = noise({shape[1]}, type, 3),
                     bias = noise({shape[1]}, type, 4);
        const Normalized wanted = normalized(x, dy, weight, bias, eps);
        const double near = type == DType::float32 ? 2e-5 : 1e-11,
                     sums = near * std::sqrt(static_cast<double>(x.numel() / shape[1]));
        for (const Tensor& v : orders(x))
          for (const Tensor& g : {dy, orders(dy).back()}) {
            Tensor mean, variance, dx, dw, db;
            kernels::channel_moments(v, mean, variance);
            check_near(values(mean), wanted.mean, near, near);
            check_near(values(variance), wanted.variance, near, near);
            const Tensor rstd = rsqrt(variance + eps), y = kernels::batch_norm(v, mean, rstd, weight, bias);
            check_near(values(y), wanted.y, near, near);
            if (kernels::is_channels_last(v)) CHECK(kernels::is_channels_last(y));
            kernels::batch_norm_grad(g, v, mean, rstd, weight, true, &dx, &dw, &db);
            check_near(values(dx), wanted.dx, near, near);
            check_near(values(dw), wanted.dweight, near, sums);
            check_near(values(db), wanted.dbias, near, sums);
            kernels::batch_norm_grad(g, v, mean, rstd, weight, false, &dx, nullptr, nullptr);
            check_near(values(dx), values(kernels::batch_norm(g, zeros({shape[1]}), rstd, weight, Tensor())), near);
          }
      }
  });
}

TEST_CASE("kernels: the variance of numbers far from zero does not cancel") {
  each_level([] {
    for (const Shape& shape : {Shape{16, 5, 20, 20}, Shape{6400, 5}}) {
      const Tensor x = noise(shape, DType::float32, 1, 1e4);
      const Normalized wanted = normalized(x, x, ones({5}), zeros({5}), 0);
      for (const Tensor& v : orders(x)) {
        Tensor mean, variance;
        kernels::channel_moments(v, mean, variance);
        check_near(values(mean), wanted.mean, 1e-9);
        check_near(values(variance), wanted.variance, 1e-5);
      }
    }
  });
}

TEST_CASE("kernels: largest values under windows, and the way back, in every memory order") {
  each_level([] {
    for (const DType type : {DType::float32, DType::float64, DType::int32})
      for (const Int channels : {1, 3, 17, 64})
        for (const Int stride : {1, 2, 3}) {
          const Shape shape{2, channels, 7, 9};
          const Tensor x = sample(shape, type);  // few different numbers: many ties
          if (is_floating(type)) {
            const Tensor holes = sample(shape, DType::boolean, 5);
            kernels::copy_into(
                x, kernels::where(kernels::binary(kernels::Binary::mul, holes, sample(shape, DType::boolean, 6)),
                                  full({}, NAN, type), x));
          }
          const std::vector<kernels::AxisMap> maps = {windows(2, 7, 3, stride, 1), windows(3, 9, 2, stride, 0)};
          const Shape outputs{2, channels, maps[0].outputs(), maps[1].outputs()};
          const std::vector<double> v = values(x);
          std::vector<double> largest, places, dx(v.size(), 0);
          const Tensor dy = sample(outputs, is_floating(type) ? type : DType::float32, 3);
          const std::vector<double> g = values(dy);
          for (Int plane = 0; plane < 2 * channels; ++plane)
            for (Int i = 0; i < outputs[2]; ++i)
              for (Int j = 0; j < outputs[3]; ++j) {
                Int best = -1;
                const auto at = [&](Int place) { return v[static_cast<std::size_t>(plane * 63 + place)]; };
                for (Int a = std::max<Int>(i * stride - 1, 0); a < std::min<Int>(7, i * stride + 2); ++a)
                  for (Int b = j * stride; b < j * stride + 2; ++b)
                    if (const Int here = a * 9 + b; best < 0 || at(here) > at(best) || std::isnan(at(here)))
                      best = here;
                dx[static_cast<std::size_t>(plane * 63 + best)] += g[largest.size()];
                largest.push_back(at(best));
                places.push_back(static_cast<double>(best));
              }
          for (const Tensor& each : orders(x)) {
            Tensor where;
            check_near(values(kernels::max_pool(each, maps, nullptr)), largest);
            check_near(values(kernels::max_pool(each, maps, &where)), largest);
            check_near(values(where), places);
            for (const Tensor& gradient : orders(dy))
              check_near(values(kernels::max_pool_grad(gradient, where, maps, shape)), dx);
          }
        }
  });
}

TEST_CASE("max_pool: places are counted in 32 bits") {
  const Int side = 1 << 16;
  const Tensor x = expand(zeros({1, 1, 1, 1}), {1, 1, side, side});
  CHECK(message<ShapeError>([&] { max_pool2d(x, side); }) ==
        "max_pool: x [1, 1, 65536, 65536] has more than 2^31 - 1 elements per channel");
}
