#include <cmath>

#include <weft/tensor/dispatch.h>

/// Optimiser steps: one pass over parameter, gradient and state.
namespace weft::kernels {
namespace {

DType checked_type(const char* op, const Tensor& parameter) {
  const DType type = parameter.dtype();
  if (type != DType::float32 && type != DType::float64)
    throw DtypeError(text(op, ": the parameter is ", type, ", not float32 or float64",
                          "\n  help: keep a float32 copy for the optimiser"));
  return type;
}
void check_state(const char* op, const char* what, const Tensor& parameter, const Tensor& state) {
  if (!(state.shape() == parameter.shape()))
    throw ShapeError(text(op, ": the ", what, " has shape ", state.shape(), ", the parameter ", parameter.shape()));
}

}  // namespace

void adam(const Tensor& parameter, const Tensor& gradient, const Tensor& first, const Tensor& second,
          const AdamStep& s) {
  const DType type = checked_type("adam", parameter);
  check_state("adam", "gradient", parameter, gradient);
  check_state("adam", "first moment", parameter, first);
  check_state("adam", "second moment", parameter, second);
  if (s.step < 1) throw ConfigError(text("adam: step ", s.step, " is below 1"));
  const double step = static_cast<double>(s.step);
  const AdamNumbers numbers{s.lr / (1 - std::pow(s.beta1, step)),
                            s.beta1,
                            s.beta2,
                            s.eps,
                            s.decoupled ? 0 : s.weight_decay,
                            s.decoupled ? 1 - s.lr * s.weight_decay : 1,
                            1 / std::sqrt(1 - std::pow(s.beta2, step))};
  Loop loop(parameter.shape());
  for (const Tensor* x : {&parameter, &gradient, &first, &second}) loop.add(*x);
  for (const Tensor* x : {&parameter, &first, &second}) bytes_to_write(*x);
  loop.prepare();
  if (loop.elements() == 0) return;
  const auto kernel = table().adam[slot(compute_of(type))];
  const DType wanted[] = {type, type, type, type};
  constexpr Use uses[] = {Use::change, Use::read, Use::change, Use::change};
  const Int item = item_size(type);
  run_dense(loop, wanted, uses, grain, [&](char* const* p, const Int* steps, Int n) {
    if (steps[1] == 1) {
      kernel(p[0], p[1], p[2], p[3], n, numbers);
      return;
    }
    for (Int i = 0; i < n; ++i) kernel(p[0] + i * item, p[1], p[2] + i * item, p[3] + i * item, 1, numbers);
  });
}

void sgd(const Tensor& parameter, const Tensor& gradient, const Tensor& velocity, const SgdStep& s) {
  const DType type = checked_type("sgd", parameter);
  check_state("sgd", "gradient", parameter, gradient);
  const bool has_velocity = s.momentum != 0;
  if (has_velocity) {
    if (!velocity.defined())
      throw ConfigError(
          text("sgd: momentum is ", s.momentum, " but there is no velocity\n  help: pass a tensor like the parameter"));
    check_state("sgd", "velocity", parameter, velocity);
    bytes_to_write(velocity);
  }
  bytes_to_write(parameter);
  const SgdNumbers numbers{s.lr, s.momentum, 1 - s.dampening, s.weight_decay, s.nesterov, s.first, has_velocity};
  Loop loop(parameter.shape());
  loop.add(parameter);
  loop.add(gradient);
  if (has_velocity) loop.add(velocity);
  loop.prepare();
  if (loop.elements() == 0) return;
  const auto kernel = table().sgd[slot(compute_of(type))];
  const DType wanted[] = {type, type, type};
  constexpr Use uses[] = {Use::change, Use::read, Use::change};
  const Int item = item_size(type);
  run_dense(loop, wanted, uses, grain, [&](char* const* p, const Int* steps, Int n) {
    if (steps[1] == 1) {
      kernel(p[0], p[1], has_velocity ? p[2] : nullptr, n, numbers);
      return;
    }
    for (Int i = 0; i < n; ++i) kernel(p[0] + i * item, p[1], has_velocity ? p[2] + i * item : nullptr, 1, numbers);
  });
}

}  // namespace weft::kernels
