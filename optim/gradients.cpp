#include <weft/optim/gradients.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/kernels.h>

namespace weft::optim {
namespace {

void check_limit(const char* op, double limit) {
  if (!(limit >= 0)) throw ConfigError(text(op, ": the limit is ", limit, "\n  help: choose 0 or more"));
}

}  // namespace

double clip_gradient_norm(const std::vector<Tensor>& parameters, double limit) {
  check_limit("clip_gradient_norm", limit);
  double squares = 0;
  for (const Tensor& p : parameters)
    if (const Tensor g = p.grad(); g.defined())
      squares += kernels::reduce(kernels::Reduce::sum_of_squares, g, {}, false).item();
  const double norm = std::sqrt(squares), factor = limit / (norm + 1e-6);
  if (factor < 1)
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
  if (parameters.empty()) throw ConfigError("l1_penalty: there are no parameters");
  Tensor total;
  for (const Tensor& p : parameters) {
    const Tensor each = sum(abs(p));
    total = total.defined() ? total + each : each;
  }
  return total * factor;
}

void soft_threshold(const std::vector<Tensor>& parameters, double threshold) {
  check_limit("soft_threshold", threshold);
  const NoGrad off;
  for (const Tensor& p : parameters) {
    kernels::copy_into(p, sign(p) * relu(abs(p) - threshold));
    ++p.body().storage->version;
  }
}

}  // namespace weft::optim
