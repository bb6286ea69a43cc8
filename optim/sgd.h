#pragma once
#include <utility>

#include <weft/optim/base.h>

/// Optimisers that follow the gradient itself. Options have PyTorch's names and defaults; a bad one throws ConfigError
/// with the range that is accepted. `maximize` climbs instead of descending.
namespace weft::optim {

struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;      ///< share of the last step's velocity that is kept
  double dampening = 0;     ///< share of the gradient that is left out of the velocity
  double weight_decay = 0;  ///< added to the gradient: weight_decay * parameter
  bool nesterov = false;    ///< looks one momentum step ahead; needs momentum and no dampening
  bool maximize = false;
  void check() const;
};
/// Stochastic gradient descent with momentum: v = momentum * v + (1 - dampening) * g, where the first v is g;
/// parameter -= lr * v, or with nesterov lr * (g + momentum * v). Nesterov (1983); Sutskever et al. (2013).
class Sgd final : public PerParameter<SgdOptions> {
 public:
  explicit Sgd(const std::vector<Tensor>& parameters, const SgdOptions& options = {})
      : PerParameter("sgd", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const SgdOptions& o) override;
  Kept kept(const SgdOptions& o) const override;
};

struct AsgdOptions {
  double lr = 1e-2;
  double lambd = 1e-4;  ///< how fast the rate falls and the parameters shrink
  double alpha = 0.75;  ///< power of the rate's fall
  double t0 = 1e6;      ///< the step after which averaging begins
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
/// Averaged stochastic gradient descent: parameter = (1 - lambd * eta) * parameter - eta * g with
/// eta_t = lr / (1 + lambd * lr * t)^alpha, while averages() follows the mean of what step
/// t0 + 2 and later ones gave. Polyak and Juditsky (1992).
class Asgd final : public PerParameter<AsgdOptions> {
 public:
  explicit Asgd(const std::vector<Tensor>& parameters, const AsgdOptions& options = {})
      : PerParameter("asgd", parameters, options) {}
  /// The average of each parameter (the parameter itself before), in the order of parameters(); undefined for
  /// one that never had a gradient.
  std::vector<Tensor> averages() const;

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const AsgdOptions& o) override;
  Kept kept(const AsgdOptions&) const override { return {{"ax"}, {"eta", "mu"}}; }
};

struct RpropOptions {
  double lr = 1e-2;                                 ///< the first step of each number
  std::pair<double, double> etas{0.5, 1.2};         ///< factors of a step after a change of sign, and without one
  std::pair<double, double> step_sizes{1e-6, 50.};  ///< the least and the largest step
  bool maximize = false;
  void check() const;
};
/// Resilient propagation: each number has a step of its own that grows while its gradient keeps its sign and shrinks
/// when that flips (that step is left out then); only the sign of the gradient counts. For full batches. Riedmiller and
/// Braun (1993).
class Rprop final : public PerParameter<RpropOptions> {
 public:
  explicit Rprop(const std::vector<Tensor>& parameters, const RpropOptions& options = {})
      : PerParameter("rprop", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const RpropOptions& o) override;
  Kept kept(const RpropOptions&) const override { return {{"prev", "step_size"}, {}}; }
};

}  // namespace weft::optim
