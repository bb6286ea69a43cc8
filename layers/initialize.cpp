#include <weft/layers/initialize.h>

#include <cmath>

#include <weft/tensor/kernels.h>

namespace weft::initialize {
namespace {

void fill(const Tensor& x, kernels::Distribution distribution, double a, double b, Generator& g) {
  const std::uint64_t offset = g.take(static_cast<std::uint64_t>(x.numel()));
  kernels::random_fill(x, distribution, a, b, g.seed, offset);
  ++x.body().storage->version;
}

std::pair<double, double> fans(const Tensor& x) {
  if (x.dim() < 2)
    throw ShapeError(text("initialize: a weight of shape ", x.shape(), " has no fans\n  help: pass (out, in, ...)"));
  const double field =
      x.shape()[1] ? static_cast<double>(x.numel()) / static_cast<double>(x.shape()[0] * x.shape()[1]) : 0;
  return {static_cast<double>(x.shape()[1]) * field, static_cast<double>(x.shape()[0]) * field};
}

}  // namespace

void uniform(const Tensor& x, double low, double high, Generator& g) {
  fill(x, kernels::Distribution::uniform, low, high, g);
}
void normal(const Tensor& x, double mean, double deviation, Generator& g) {
  fill(x, kernels::Distribution::normal, mean, deviation, g);
}
void constant(const Tensor& x, double value) {
  kernels::fill(x, value);
  ++x.body().storage->version;
}
void xavier_uniform(const Tensor& x, double gain, Generator& g) {
  const auto [in, out] = fans(x);
  const double bound = gain * std::sqrt(6 / (in + out));
  uniform(x, -bound, bound, g);
}
void xavier_normal(const Tensor& x, double gain, Generator& g) {
  const auto [in, out] = fans(x);
  normal(x, 0, gain * std::sqrt(2 / (in + out)), g);
}
void kaiming_uniform(const Tensor& x, double gain, Generator& g) {
  const double bound = gain * std::sqrt(3 / fans(x).first);
  uniform(x, -bound, bound, g);
}
void kaiming_normal(const Tensor& x, double gain, Generator& g) { normal(x, 0, gain / std::sqrt(fans(x).first), g); }
std::int64_t fan_in(const Tensor& weight) { return static_cast<std::int64_t>(fans(weight).first); }

}  // namespace weft::initialize
