#include <weft/optim/adam.h>

#include <cmath>

#include <weft/optim/check.h>
#include <weft/optim/each.h>

namespace weft::optim {
namespace {

template <class Options>
void check_family(const char* name, const Options& o) {
  Check(name).at_least("lr", o.lr, 0).below_one("betas.first", o.betas.first).below_one("betas.second", o.betas.second);
  Check(name).at_least("eps", o.eps, 0).at_least("weight_decay", o.weight_decay, 0);
}

/// 1 - beta^t, what an average that began at 0 has seen of its weights by step t.
double seen(double beta, double t) { return 1 - std::pow(beta, t); }

void follow(double& average, double beta, double value) { average += (1 - beta) * (value - average); }

/// Adam and AdamW.
template <class Options>
void adam(const Tensor& p, const Tensor& g, Memory& memory, const Options& o, bool decoupled) {
  const Tensor first = memory.tensor("exp_avg", p), second = memory.tensor("exp_avg_sq", p);
  const double sign = o.maximize ? -1 : 1;
  if (!o.amsgrad) {
    // Climbing: m is linear in g and v even, so the signs of the rate and of the decay can be turned instead of g's;
    // AdamW's decay is their product and stays.
    kernels::adam(p, g, first, second,
                  {sign * o.lr, o.betas.first, o.betas.second, o.eps, sign * o.weight_decay, decoupled, memory.step});
    return;
  }
  const double t = static_cast<double>(memory.step), rate = o.lr / seen(o.betas.first, t),
               root = std::sqrt(seen(o.betas.second, t)), decay = decoupled ? 0 : o.weight_decay,
               shrink = decoupled ? 1 - o.lr * o.weight_decay : 1;
  each(
      p, g,
      [=](double& w, double d, double& m, double& v, double& largest) {
        d = sign * d + decay * w;
        follow(m, o.betas.first, d);
        follow(v, o.betas.second, d * d);
        if (!(v <= largest)) largest = v;  // so that NaN is kept
        w = shrink * w - rate * m / (std::sqrt(largest) / root + o.eps);
      },
      first, second, memory.tensor("max_exp_avg_sq", p));
}

template <class Options>
Kept kept_by_adam(const Options& o) {
  Kept names{{"exp_avg", "exp_avg_sq"}, {}};
  if (o.amsgrad) names.tensors.push_back("max_exp_avg_sq");
  return names;
}

/// The share of a parameter that a decoupled decay leaves, and the weight with which a parameter joins its gradient.
struct Decay {
  double shrink, join;
};
template <class Options>
Decay decay_of(const Options& o) {
  return o.decoupled_weight_decay ? Decay{1 - o.lr * o.weight_decay, 0} : Decay{1, o.weight_decay};
}

}  // namespace

void AdamOptions::check() const { check_family("adam", *this); }
void Adam::update(const Tensor& p, const Tensor& g, Memory& memory, const AdamOptions& o) {
  adam(p, g, memory, o, false);
}
Kept Adam::kept(const AdamOptions& o) const { return kept_by_adam(o); }

void AdamWOptions::check() const { check_family("adamw", *this); }
void AdamW::update(const Tensor& p, const Tensor& g, Memory& memory, const AdamWOptions& o) {
  adam(p, g, memory, o, true);
}
Kept AdamW::kept(const AdamWOptions& o) const { return kept_by_adam(o); }

void AdamaxOptions::check() const { check_family("adamax", *this); }
void Adamax::update(const Tensor& p, const Tensor& g, Memory& memory, const AdamaxOptions& o) {
  const double sign = o.maximize ? -1 : 1, rate = o.lr / seen(o.betas.first, static_cast<double>(memory.step));
  each(
      p, g,
      [=](double& w, double d, double& m, double& u) {
        d = sign * d + o.weight_decay * w;
        follow(m, o.betas.first, d);
        const double now = std::abs(d) + o.eps;
        u *= o.betas.second;
        if (!(now <= u)) u = now;  // so that NaN is kept
        w -= rate * m / u;
      },
      memory.tensor("exp_avg", p), memory.tensor("exp_inf", p));
}

void NAdamOptions::check() const {
  check_family("nadam", *this);
  Check("nadam").at_least("momentum_decay", momentum_decay, 0);
}
void NAdam::update(const Tensor& p, const Tensor& g, Memory& memory, const NAdamOptions& o) {
  const double t = static_cast<double>(memory.step), sign = o.maximize ? -1 : 1;
  const auto momentum = [&](double at) { return o.betas.first * (1 - 0.5 * std::pow(0.96, at * o.momentum_decay)); };
  const double now = momentum(t), next = momentum(t + 1);
  double& product = memory.number("mu_product", 1);
  product *= now;
  const double of_gradient = o.lr * (1 - now) / (1 - product), of_mean = o.lr * next / (1 - product * next),
               root = std::sqrt(seen(o.betas.second, t));
  const Decay decay = decay_of(o);
  each(
      p, g,
      [=](double& w, double d, double& m, double& v) {
        d = sign * d + decay.join * w;
        follow(m, o.betas.first, d);
        follow(v, o.betas.second, d * d);
        w = decay.shrink * w - (of_gradient * d + of_mean * m) / (std::sqrt(v) / root + o.eps);
      },
      memory.tensor("exp_avg", p), memory.tensor("exp_avg_sq", p));
}

void RAdamOptions::check() const { check_family("radam", *this); }
void RAdam::update(const Tensor& p, const Tensor& g, Memory& memory, const RAdamOptions& o) {
  const double t = static_cast<double>(memory.step), sign = o.maximize ? -1 : 1;
  const double rate = o.lr / seen(o.betas.first, t), unseen = std::pow(o.betas.second, t);
  const double most = 2 / (1 - o.betas.second) - 1, length = most - 2 * t * unseen / (1 - unseen);
  const bool rectified = length > 5;
  const double factor =
      rectified
          ? rate * std::sqrt((1 - unseen) * (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
          : rate;
  const Decay decay = decay_of(o);
  each(
      p, g,
      [=](double& w, double d, double& m, double& v) {
        d = sign * d + decay.join * w;
        follow(m, o.betas.first, d);
        follow(v, o.betas.second, d * d);
        w = decay.shrink * w - factor * m / (rectified ? std::sqrt(v) + o.eps : 1);
      },
      memory.tensor("exp_avg", p), memory.tensor("exp_avg_sq", p));
}

}  // namespace weft::optim
