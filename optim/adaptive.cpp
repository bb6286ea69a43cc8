#include <weft/optim/adaptive.h>

#include <cmath>

#include <weft/optim/check.h>
#include <weft/optim/each.h>

namespace weft::optim {

// ---- Adagrad

void AdagradOptions::check() const {
  Check("adagrad").at_least("lr", lr, 0).at_least("lr_decay", lr_decay, 0).at_least("weight_decay", weight_decay, 0);
  Check("adagrad").at_least("initial_accumulator_value", initial_accumulator_value, 0).at_least("eps", eps, 0);
}

void Adagrad::update(const Tensor& p, const Tensor& g, Memory& memory, const AdagradOptions& o) {
  const double sign = o.maximize ? -1 : 1, rate = o.lr / (1 + static_cast<double>(memory.step - 1) * o.lr_decay);
  each(
      p, g,
      [=](double& w, double d, double& sum) {
        d = sign * d + o.weight_decay * w;
        sum += d * d;
        w -= rate * d / (std::sqrt(sum) + o.eps);
      },
      memory.tensor("sum", p, o.initial_accumulator_value));
}

// ---- Adadelta

void AdadeltaOptions::check() const {
  Check("adadelta").at_least("lr", lr, 0).within("rho", rho, 0, 1).at_least("eps", eps, 0);
  Check("adadelta").at_least("weight_decay", weight_decay, 0);
}

void Adadelta::update(const Tensor& p, const Tensor& g, Memory& memory, const AdadeltaOptions& o) {
  const double sign = o.maximize ? -1 : 1;
  each(
      p, g,
      [=](double& w, double d, double& square, double& moved) {
        d = sign * d + o.weight_decay * w;
        square = o.rho * square + (1 - o.rho) * d * d;
        const double step = std::sqrt(moved + o.eps) / std::sqrt(square + o.eps) * d;
        moved = o.rho * moved + (1 - o.rho) * step * step;
        w -= o.lr * step;
      },
      memory.tensor("square_avg", p), memory.tensor("acc_delta", p));
}

// ---- Rmsprop

void RmspropOptions::check() const {
  Check("rmsprop").at_least("lr", lr, 0).within("alpha", alpha, 0, 1).at_least("eps", eps, 0);
  Check("rmsprop").at_least("weight_decay", weight_decay, 0).at_least("momentum", momentum, 0);
}

void Rmsprop::update(const Tensor& p, const Tensor& g, Memory& memory, const RmspropOptions& o) {
  const double sign = o.maximize ? -1 : 1;
  each(
      p, g,
      [=](double& w, double d, double& square, double& mean, double& velocity) {
        d = sign * d + o.weight_decay * w;
        square = o.alpha * square + (1 - o.alpha) * d * d;
        if (o.centered) mean += (1 - o.alpha) * (d - mean);
        const double variance = square - mean * mean;
        // Rounding may take a variance below 0 (NaN must stay).
        velocity = o.momentum * velocity + d / (std::sqrt(variance < 0 ? 0 : variance) + o.eps);
        w -= o.lr * velocity;
      },
      memory.tensor("square_avg", p), o.centered ? memory.tensor("grad_avg", p) : Tensor(),
      o.momentum != 0 ? memory.tensor("momentum_buffer", p) : Tensor());
}

Kept Rmsprop::kept(const RmspropOptions& o) const {
  Kept names{{"square_avg"}, {}};
  if (o.centered) names.tensors.push_back("grad_avg");
  if (o.momentum != 0) names.tensors.push_back("momentum_buffer");
  return names;
}

}  // namespace weft::optim
