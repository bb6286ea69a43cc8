#include <weft/optim/gradients.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::optim {
namespace {

void check_limit(const char* op, double limit) {
  if (!(limit >= 0)) throw ConfigError(text(op, ": the limit is ", limit, "\n  help: choose 0 or more"));
}

Tensor magnitude(const Tensor& g) { return kernels::unary(kernels::Unary::abs, g); }

/// The larger of two, or NaN.
double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }

/// The sum over parameters of what is to be kept small of each.
Tensor summed(const char* op, const std::vector<Tensor>& parameters, Tensor (*each)(const Tensor&)) {
  if (parameters.empty()) throw ConfigError(text(op, ": there are no parameters"));
  Tensor total = each(parameters[0]);
  for (std::size_t i = 1; i < parameters.size(); ++i) total = total + each(parameters[i]);
  return total;
}

}  // namespace

double gradient_norm(const std::vector<Tensor>& parameters, double norm_type) {
  if (!(norm_type > 0))
    throw ConfigError(
        text("gradient_norm: norm_type is ", norm_type, "\n  help: choose a number above 0, or infinity"));
  if (norm_type == 2) {
    double squares = 0;
    for (const Tensor& p : parameters)
      if (const Tensor g = p.grad(); g.defined())
        squares += kernels::reduce(kernels::Reduce::sum_of_squares, g, {}, false).item();
    if (std::isnormal(squares)) return std::sqrt(squares);
  }
  // Other norms, and squares that a float32 does not hold: relative to the largest number.
  double most = 0;
  for (const Tensor& p : parameters)
    if (const Tensor g = p.grad(); g.defined() && g.numel() > 0)
      most = larger(most, kernels::reduce(kernels::Reduce::max, magnitude(g), {}, false).item());
  if (most == 0 || !std::isfinite(most) || std::isinf(norm_type)) return most;
  double sum = 0;
  for (const Tensor& p : parameters)
    if (const Tensor g = p.grad(); g.defined()) {
      const Tensor share = kernels::binary(kernels::Binary::div, magnitude(kernels::cast(g, DType::float64)), most);
      sum += kernels::reduce(kernels::Reduce::sum, kernels::binary(kernels::Binary::pow, share, norm_type), {}, false)
                 .item();
    }
  return most * std::pow(sum, 1 / norm_type);
}

double clip_gradient_norm(const std::vector<Tensor>& parameters, double limit, double norm_type,
                          bool error_if_nonfinite) {
  check_limit("clip_gradient_norm", limit);
  const double norm = gradient_norm(parameters, norm_type);
  if (error_if_nonfinite && !std::isfinite(norm))
    throw GradError(text("clip_gradient_norm: the norm of the gradients is ", norm,
                         "\n  help: look for what makes it so, or leave out error_if_nonfinite"));
  const double factor = limit / (norm + 1e-6);
  if (!(factor >= 1))  // NaN, too: it must not stay hidden in one gradient among many
    for (Tensor p : parameters)
      if (const Tensor g = p.grad(); g.defined()) p.set_grad(kernels::binary(kernels::Binary::mul, g, factor));
  return norm;
}

void clip_gradient_value(const std::vector<Tensor>& parameters, double limit) {
  check_limit("clip_gradient_value", limit);
  for (Tensor p : parameters)
    if (const Tensor g = p.grad(); g.defined()) p.set_grad(kernels::clamp(g, -limit, limit));
}

Tensor l1_penalty(const std::vector<Tensor>& parameters, double factor) {
  return summed("l1_penalty", parameters, [](const Tensor& p) { return sum(abs(p)); }) * factor;
}

Tensor l2_penalty(const std::vector<Tensor>& parameters, double factor) {
  return summed("l2_penalty", parameters, [](const Tensor& p) { return sum(square(p)); }) * (0.5 * factor);
}

void soft_threshold(const std::vector<Tensor>& parameters, double threshold) {
  check_limit("soft_threshold", threshold);
  const NoGrad off;
  for (const Tensor& p : parameters) {
    kernels::copy_into(p, sign(p) * relu(abs(p) - threshold));
    ++p.body().storage->version;
  }
}

void group_soft_threshold(const Tensor& parameter, int axis, double threshold) {
  check_limit("group_soft_threshold", threshold);
  const NoGrad off;
  const int kept = normalize_axis("group_soft_threshold", axis, parameter.dim());
  std::vector<int> others;
  for (int i = 0; i < parameter.dim(); ++i)
    if (i != kept) others.push_back(i);
  const Tensor norms = others.empty() ? abs(parameter) : sqrt(sum(square(parameter), others, true));
  // A group of 0 stays what it is: 0 / 0 must not make it NaN.
  const Tensor shrunk = relu(norms - threshold) / maximum(norms, scalar(1e-30, norms.dtype()));
  kernels::copy_into(parameter, parameter * shrunk);
  ++parameter.body().storage->version;
}

void group_soft_threshold(const std::vector<Tensor>& group, double threshold) {
  check_limit("group_soft_threshold", threshold);
  if (group.empty()) throw ConfigError("group_soft_threshold: there are no parameters");
  const NoGrad off;
  double squares = 0;
  for (const Tensor& p : group) squares += sum(square(to(p, DType::float64))).item();
  const double norm = std::sqrt(squares), shrunk = norm > threshold ? 1 - threshold / norm : 0;
  for (const Tensor& p : group) {
    kernels::copy_into(p, p * shrunk);
    ++p.body().storage->version;
  }
}

double zero_fraction(const std::vector<Tensor>& parameters) {
  std::int64_t zeros = 0, all = 0;
  for (const Tensor& p : parameters) {
    const std::vector<double> values = to_vector<double>(p);
    zeros += std::count(values.begin(), values.end(), 0.0);
    all += p.numel();
  }
  if (all == 0) throw ConfigError("zero_fraction: there are no parameters");
  return static_cast<double>(zeros) / static_cast<double>(all);
}

}  // namespace weft::optim
