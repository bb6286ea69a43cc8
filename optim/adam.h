#pragma once
#include <utility>

#include <weft/optim/base.h>

/// The Adam family: m, the mean of the gradients, over the root of v, the mean of their squares, both decaying averages
/// m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) g^2 that begin at 0; ^ marks them corrected for that:
/// m^ = m / (1 - beta1^t). Options have PyTorch's names and defaults; a bad one throws ConfigError with the range that
/// is accepted. `maximize` climbs instead of descending.
namespace weft::optim {

/// The decays of the mean gradient and of the mean squared gradient.
using Betas = std::pair<double, double>;

struct AdamOptions {
  double lr = 1e-3;
  Betas betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;  ///< added to the gradient: weight_decay * parameter
  bool amsgrad = false;     ///< divides by the root of the largest v so far. Reddi et al. (2018).
  bool maximize = false;
  void check() const;
};
/// parameter -= lr * m^ / (sqrt(v^) + eps). Kingma and Ba (2015).
class Adam final : public PerParameter<AdamOptions> {
 public:
  explicit Adam(const std::vector<Tensor>& parameters, const AdamOptions& options = {})
      : PerParameter("adam", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const AdamOptions& o) override;
  Kept kept(const AdamOptions& o) const override;
};

struct AdamWOptions {
  double lr = 1e-3;
  Betas betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
  void check() const;
};
/// Adam whose decay shrinks the parameter itself: parameter *= 1 - lr * weight_decay. Loshchilov and Hutter (2019).
class AdamW final : public PerParameter<AdamWOptions> {
 public:
  explicit AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options = {})
      : PerParameter("adamw", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const AdamWOptions& o) override;
  Kept kept(const AdamWOptions& o) const override;
};

struct AdamaxOptions {
  double lr = 2e-3;
  Betas betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
/// Adam with the largest gradient in place of the mean square: u = max(beta2 * u, |g| + eps);
/// parameter -= lr * m^ / u. Kingma and Ba (2015), section 7.1.
class Adamax final : public PerParameter<AdamaxOptions> {
 public:
  explicit Adamax(const std::vector<Tensor>& parameters, const AdamaxOptions& options = {})
      : PerParameter("adamax", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const AdamaxOptions& o) override;
  Kept kept(const AdamaxOptions&) const override { return {{"exp_avg", "exp_inf"}, {}}; }
};

struct NAdamOptions {
  double lr = 2e-3;
  Betas betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool decoupled_weight_decay = false;  ///< the decay shrinks the parameter itself, as AdamW's does
  bool maximize = false;
  void check() const;
};
/// Adam that looks one momentum step ahead: with mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2),
/// parameter -= lr * ((1 - mu_t) / (1 - prod_i<=t mu_i) * g + mu_t+1 / (1 - prod_i<=t+1 mu_i) * m) / (sqrt(v^) + eps).
/// Dozat (2016).
class NAdam final : public PerParameter<NAdamOptions> {
 public:
  explicit NAdam(const std::vector<Tensor>& parameters, const NAdamOptions& options = {})
      : PerParameter("nadam", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const NAdamOptions& o) override;
  Kept kept(const NAdamOptions&) const override { return {{"exp_avg", "exp_avg_sq"}, {"mu_product"}}; }
};

struct RAdamOptions {
  double lr = 1e-3;
  Betas betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;  ///< the decay shrinks the parameter itself, as AdamW's does
  bool maximize = false;
  void check() const;
};
/// Adam that trusts v by how many gradients it holds: with rho_inf = 2 / (1 - beta2) - 1 and
/// rho_t = rho_inf - 2 t beta2^t / (1 - beta2^t), parameter -= lr * m^ * r_t / (sqrt(v^) + eps'), where
/// r_t^2 = (rho_t - 4)(rho_t - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho_t) and eps is added before the correction;
/// while rho_t <= 5 it is parameter -= lr * m^. Liu et al. (2020).
class RAdam final : public PerParameter<RAdamOptions> {
 public:
  explicit RAdam(const std::vector<Tensor>& parameters, const RAdamOptions& options = {})
      : PerParameter("radam", parameters, options) {}

 private:
  void update(const Tensor& p, const Tensor& g, Memory& memory, const RAdamOptions& o) override;
  Kept kept(const RAdamOptions&) const override { return {{"exp_avg", "exp_avg_sq"}, {}}; }
};

}  // namespace weft::optim
