#include <weft/optim/sgd.h>

#include <algorithm>
#include <cmath>

#include <weft/optim/check.h>
#include <weft/optim/each.h>

namespace weft::optim {

// ---- Sgd

void SgdOptions::check() const {
  Check("sgd").at_least("lr", lr, 0).at_least("momentum", momentum, 0).at_least("weight_decay", weight_decay, 0);
  Check("sgd").require(std::isfinite(dampening), "dampening", dampening, "a finite number");
  if (nesterov && (momentum == 0 || dampening != 0))
    throw ConfigError(text("sgd: nesterov with momentum ", momentum, " and dampening ", dampening,
                           "\n  help: give it a momentum above 0 and no dampening"));
}

void Sgd::update(const Tensor& p, const Tensor& g, Memory& memory, const SgdOptions& o) {
  const bool first = o.momentum != 0 && !memory.has("momentum_buffer");
  const Tensor velocity = o.momentum != 0 ? memory.tensor("momentum_buffer", p) : Tensor();
  // Climbing with g is descending with -g; as everything is linear in g and the velocity, the signs of the rate and of
  // the decay can be turned instead.
  const double sign = o.maximize ? -1 : 1;
  kernels::sgd(p, g, velocity, {sign * o.lr, o.momentum, o.dampening, sign * o.weight_decay, o.nesterov, first});
}

Kept Sgd::kept(const SgdOptions& o) const { return o.momentum != 0 ? Kept{{"momentum_buffer"}, {}} : Kept{}; }

// ---- Asgd

void AsgdOptions::check() const {
  Check("asgd").at_least("lr", lr, 0).at_least("lambd", lambd, 0).at_least("weight_decay", weight_decay, 0);
  Check("asgd").at_least("alpha", alpha, 0).at_least("t0", t0, 0);
}

void Asgd::update(const Tensor& p, const Tensor& g, Memory& memory, const AsgdOptions& o) {
  const double now = memory.number("eta", o.lr), share = memory.number("mu", 1), sign = o.maximize ? -1 : 1;
  each(
      p, g,
      [=](double& w, double d, double& average) {
        d = sign * d + o.weight_decay * w;
        w = w * (1 - o.lambd * now) - now * d;
        average = share == 1 ? w : average + share * (w - average);
      },
      memory.tensor("ax", p));
  const double t = static_cast<double>(memory.step);
  memory.number("eta", o.lr) = o.lr / std::pow(1 + o.lambd * o.lr * t, o.alpha);
  memory.number("mu", 1) = 1 / std::max(1., t - o.t0);
}

std::vector<Tensor> Asgd::averages() const {
  std::vector<Tensor> all;
  for (const Memory& memory : memories()) all.push_back(memory.step ? memory.tensors.front().second : Tensor());
  return all;
}

// ---- Rprop

void RpropOptions::check() const {
  Check("rprop").at_least("lr", lr, 0);
  Check("rprop").require(etas.first > 0 && etas.first < 1, "etas.first", etas.first, "a number between 0 and 1");
  Check("rprop").above("etas.second", etas.second, 1).at_least("step_sizes.first", step_sizes.first, 0);
  Check("rprop").at_least("step_sizes.second", step_sizes.second, step_sizes.first);
}

void Rprop::update(const Tensor& p, const Tensor& g, Memory& memory, const RpropOptions& o) {
  const double sign = o.maximize ? -1 : 1;
  each(
      p, g,
      [=](double& w, double d, double& before, double& step) {
        d *= sign;
        const double agreement = d * before;
        if (agreement > 0) step = std::min(step * o.etas.second, o.step_sizes.second);
        if (agreement < 0) {
          step = std::max(step * o.etas.first, o.step_sizes.first);
          d = 0;
        }
        if (std::isnan(d)) w = d;
        if (d != 0) w -= std::copysign(step, d);
        before = d;
      },
      memory.tensor("prev", p), memory.tensor("step_size", p, o.lr));
}

}  // namespace weft::optim
