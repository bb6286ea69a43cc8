#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weft/tensor/tensor.h>

/// Optimisers: hand them the parameters once, then per step: backward(), step(), zero_grad().
///
///   optim::Adam optimizer(parameters(net), {.lr = 1e-3});
///   loss.backward();
///   optimizer.step();
///   optimizer.zero_grad();
namespace weft::optim {

/// What all optimisers share. Parameters without a gradient are passed over.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// Moves every parameter that has a gradient.
  virtual void step() = 0;
  /// Drops all gradients.
  void zero_grad();
  /// The learning rate of the next step; schedules set it. Throws ConfigError when negative or not finite.
  double lr() const noexcept { return lr_; }
  void set_lr(double lr);
  const std::vector<Tensor>& parameters() const noexcept { return parameters_; }
  /// Everything that step() remembers, by name, so that training can go on bitwise as if never stopped.
  virtual std::vector<std::pair<std::string, Tensor>> state() const = 0;
  /// Takes back what state() gave. Throws ConfigError when a tensor is missing or has another shape.
  virtual void set_state(const std::vector<std::pair<std::string, Tensor>>& state) = 0;

 protected:
  Optimizer(std::vector<Tensor> parameters, double lr);
  Optimizer(const Optimizer&) = delete;
  std::vector<Tensor> parameters_;
  double lr_;
};

struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;      ///< share of the last step's velocity that is kept
  double dampening = 0;     ///< share of the gradient that is left out of the velocity
  double weight_decay = 0;  ///< added to the gradient: weight_decay * parameter
  bool nesterov = false;    ///< looks one momentum step ahead; needs momentum and no dampening
};
/// v = momentum * v + (1 - dampening) * g; parameter -= lr * v. Sutskever et al. (2013).
class Sgd final : public Optimizer {
 public:
  explicit Sgd(std::vector<Tensor> parameters, const SgdOptions& options = {});
  void step() override;
  std::vector<std::pair<std::string, Tensor>> state() const override;
  void set_state(const std::vector<std::pair<std::string, Tensor>>& state) override;

 private:
  SgdOptions options_;
  std::vector<Tensor> velocity_;
};

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;    ///< decay of the mean gradient
  double beta2 = 0.999;  ///< decay of the mean squared gradient
  double eps = 1e-8;
  double weight_decay = 0;
};
/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; parameter -= lr * m^ / (sqrt(v^) + eps), ^ corrected for
/// the start at zero. weight_decay joins the gradient. Kingma and Ba (2015).
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<Tensor> parameters, const AdamOptions& options = {});
  void step() override;
  std::vector<std::pair<std::string, Tensor>> state() const override;
  void set_state(const std::vector<std::pair<std::string, Tensor>>& state) override;

 protected:
  Adam(std::vector<Tensor> parameters, const AdamOptions& options, bool decoupled);

 private:
  AdamOptions options_;
  bool decoupled_;
  std::vector<Tensor> first_, second_;
  std::vector<std::int64_t> steps_;  ///< per parameter: one without gradient does not count
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
};
/// Adam whose decay shrinks the parameter itself: parameter *= 1 - lr * weight_decay. Loshchilov and Hutter (2019).
class AdamW final : public Adam {
 public:
  explicit AdamW(std::vector<Tensor> parameters, const AdamWOptions& options = {});
};

}  // namespace weft::optim
