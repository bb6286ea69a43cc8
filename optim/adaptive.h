#pragma once
#include <weft/optim/base.h>

/// Optimisers that give each number its own rate by the size of its gradients. Options have PyTorch's names and
/// defaults; a bad one throws ConfigError with the range that is accepted. `maximize` climbs instead of descending.
namespace weft::optim {

struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;  ///< the rate of step t is lr / (1 + (t - 1) * lr_decay)
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
  void check() const;
};
/// s += g^2; parameter -= lr * g / (sqrt(s) + eps): what seldom has a gradient keeps a high rate. Duchi, Hazan and
/// Singer (2011).
class Adagrad final : public PerParameter<AdagradOptions> {
 public:
  explicit Adagrad(const std::vector<Tensor>& parameters, const AdagradOptions& options = {})
      : PerParameter("adagrad", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const AdagradOptions& o) override;
  Kept kept(const AdagradOptions&) const override { return {{"sum"}, {}}; }
};

struct AdadeltaOptions {
  double lr = 1;
  double rho = 0.9;  ///< decay of both averages
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
/// s = rho s + (1 - rho) g^2; step = sqrt(a + eps) / sqrt(s + eps) * g; a = rho a + (1 - rho) step^2;
/// parameter -= lr * step: the steps have the parameter's unit. Zeiler (2012).
class Adadelta final : public PerParameter<AdadeltaOptions> {
 public:
  explicit Adadelta(const std::vector<Tensor>& parameters, const AdadeltaOptions& options = {})
      : PerParameter("adadelta", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const AdadeltaOptions& o) override;
  Kept kept(const AdadeltaOptions&) const override { return {{"square_avg", "acc_delta"}, {}}; }
};

struct RmspropOptions {
  double lr = 1e-2;
  double alpha = 0.99;  ///< decay of the averages
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;  ///< divides by the deviation of the gradient instead of its root mean square
  bool maximize = false;
  void check() const;
};
/// s = alpha s + (1 - alpha) g^2; parameter -= lr * v with v = momentum * v + g / (sqrt(s) + eps). Hinton's lecture 6e
/// (2012); centred: Graves (2013).
class Rmsprop final : public PerParameter<RmspropOptions> {
 public:
  explicit Rmsprop(const std::vector<Tensor>& parameters, const RmspropOptions& options = {})
      : PerParameter("rmsprop", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const RmspropOptions& o) override;
  Kept kept(const RmspropOptions& o) const override;
};

}  // namespace weft::optim
