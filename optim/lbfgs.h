#pragma once
#include <cstdint>
#include <optional>

#include <weft/optim/base.h>

/// Limited-memory BFGS.
namespace weft::optim {

enum class LineSearch : std::uint8_t { none, strong_wolfe };

struct LbfgsOptions {
  double lr = 1;
  std::int64_t max_iter = 20;              ///< moves per step()
  std::optional<std::int64_t> max_eval{};  ///< calls of the closure per step(); max_iter * 5 / 4 when left out
  double tolerance_grad = 1e-7;            ///< stops when no number of the gradient is larger
  double tolerance_change = 1e-9;          ///< stops when neither the parameters nor the loss change by more
  std::int64_t history_size = 100;         ///< pairs of moves and changes of the gradient that are remembered
  LineSearch line_search_fn = LineSearch::none;
  void check() const;
};
/// Moves along -H g, where H approximates the inverse Hessian by the last `history_size` moves s and changes y of the
/// gradient (two-loop recursion; a pair without positive curvature is left out). Without a line search the move is
/// lr * -H g (cut to a length of about lr while there is no pair); with `strong_wolfe` it starts there and is brought
/// to a place where the loss has fallen enough (c1 = 1e-4) and the slope is flat enough (c2 = 0.9). For losses without
/// noise: whole batches, no dropout. Everything is computed in double precision. Nocedal (1980); Nocedal and Wright
/// (2006), algorithms 7.4, 3.5 and 3.6.
///
///   optim::Lbfgs optimizer(parameters(net), {.line_search_fn = optim::LineSearch::strong_wolfe});
///   const double loss = optimizer.step([&] {
///     optimizer.zero_grad();
///     const Tensor loss = mse_loss(net(x), y);
///     loss.backward();
///     return loss;
///   });
class Lbfgs final : public Optimizer {
 public:
  explicit Lbfgs(const std::vector<Tensor>& parameters, const LbfgsOptions& options = {});
  /// Throws ConfigError: it needs the closure.
  void step() override;
  /// Up to max_iter moves; returns the loss before the first. Throws GradError when the loss or the gradient at the
  /// parameters is not finite.
  double step(const Closure& closure) override;
  State state() const override;
  void set_state(const State& state) override;

 private:
  using Vector = std::vector<double>;
  struct Point;
  const double* find_setting(Setting setting, std::size_t group) const noexcept override;
  void check_options(std::size_t) const override { options_.check(); }
  Vector read() const;
  void write(const Vector& x) const;
  Point evaluate(const Closure& closure, const Vector& origin, const Vector& direction, double t) const;
  void remember(const Vector& gradient);
  Vector direction(const Vector& gradient) const;
  Point search(const Closure& closure, const Vector& origin, const Vector& direction, const Point& start, double t,
               std::int64_t& evaluations) const;

  LbfgsOptions options_;
  std::size_t count_ = 0;              ///< numbers in all parameters
  std::vector<Vector> moves_, bends_;  ///< the pairs, oldest first
  Vector gradient_, move_;             ///< where the last move began, and the move until it is a pair
};

}  // namespace weft::optim
