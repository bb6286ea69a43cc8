#include <weft/optim/lbfgs.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <weft/autograd/grad.h>
#include <weft/optim/check.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::optim {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }
double largest(const Vector& x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v));
  return most;
}
/// y += a x
void add(Vector& y, double a, const Vector& x) {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += a * x[i];
}

/// Where the cubic through two places with these values and slopes is least, kept off both ends of the interval by a
/// tenth of its width; its middle when the cubic has no such place or a value is not finite.
double cubic_minimum(double a, double value_a, double slope_a, double b, double value_b, double slope_b) {
  const double low = std::min(a, b), high = std::max(a, b), margin = 0.1 * (high - low);
  const double bend = slope_a + slope_b - 3 * (value_a - value_b) / (a - b);
  const double root = std::copysign(std::sqrt(bend * bend - slope_a * slope_b), b - a);
  const double t = b - (b - a) * (slope_b + root - bend) / (slope_b - slope_a + 2 * root);
  return std::isfinite(t) ? std::clamp(t, low + margin, high - margin) : (low + high) / 2;
}

Tensor stack(const std::vector<Vector>& rows, std::size_t width) {
  Vector all;
  for (const Vector& row : rows) all.insert(all.end(), row.begin(), row.end());
  return from(all, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width)});
}

}  // namespace

/// A place on the line of a search: how far, the loss, its slope along the line, the gradient.
struct Lbfgs::Point {
  double t, loss, slope;
  Vector gradient;
  bool finite() const { return std::isfinite(loss) && std::isfinite(slope); }
};

void LbfgsOptions::check() const {
  const Check check("lbfgs");
  check.above("lr", lr, 0).at_least("max_iter", static_cast<double>(max_iter), 1);
  if (max_eval) check.at_least("max_eval", static_cast<double>(*max_eval), 1);
  check.at_least("tolerance_grad", tolerance_grad, 0).at_least("tolerance_change", tolerance_change, 0);
  check.at_least("history_size", static_cast<double>(history_size), 1);
}

Lbfgs::Lbfgs(const std::vector<Tensor>& parameters, const LbfgsOptions& options)
    : Optimizer("lbfgs"), options_(options) {
  options.check();
  add_parameters(parameters);
  for (const Tensor& p : parameters) count_ += static_cast<std::size_t>(p.numel());
}

const double* Lbfgs::find_setting(Setting setting, std::size_t) const noexcept {
  return setting == Setting::lr ? &options_.lr : nullptr;
}

void Lbfgs::step() { throw ConfigError("lbfgs: a step needs the loss\n  help: call step(closure)"); }

Vector Lbfgs::read() const {
  Vector all;
  all.reserve(count_);
  for (const Tensor& p : parameters()) {
    const Vector numbers = to_vector<double>(p);
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  return all;
}

void Lbfgs::write(const Vector& x) const {
  const double* at = x.data();
  for (const Tensor& p : parameters()) {
    const auto n = static_cast<std::size_t>(p.numel());
    kernels::copy_into(p, from(std::span<const double>(at, n), p.shape()));
    ++p.body().storage->version;
    at += n;
  }
}

Lbfgs::Point Lbfgs::evaluate(const Closure& closure, const Vector& origin, const Vector& direction, double t) const {
  if (t != 0) {
    Vector x = origin;
    add(x, t, direction);
    write(x);
  }
  const EnableGrad on;
  Point point{t, closure().item(), 0, {}};
  point.gradient.reserve(count_);
  for (const Tensor& p : parameters()) {
    const Tensor g = gradient(p);
    const Vector numbers = g.defined() ? to_vector<double>(g) : Vector(static_cast<std::size_t>(p.numel()));
    point.gradient.insert(point.gradient.end(), numbers.begin(), numbers.end());
  }
  point.slope = dot(point.gradient, direction);
  return point;
}

void Lbfgs::remember(const Vector& gradient) {
  if (move_.empty()) return;
  const Vector move = std::exchange(move_, {});
  Vector bend = gradient;
  add(bend, -1, gradient_);
  // A pair whose curvature is not clearly positive would make H indefinite.
  if (!(dot(bend, move) > 1e-10 * dot(bend, bend))) return;
  if (moves_.size() >= static_cast<std::size_t>(options_.history_size)) {
    moves_.erase(moves_.begin());
    bends_.erase(bends_.begin());
  }
  moves_.push_back(move);
  bends_.push_back(std::move(bend));
}

Vector Lbfgs::direction(const Vector& gradient) const {
  Vector d(gradient.size());
  add(d, -1, gradient);
  if (moves_.empty()) return d;
  Vector weight(moves_.size());
  for (std::size_t k = moves_.size(); k-- > 0;) {
    weight[k] = dot(moves_[k], d) / dot(moves_[k], bends_[k]);
    add(d, -weight[k], bends_[k]);
  }
  const double scale = dot(moves_.back(), bends_.back()) / dot(bends_.back(), bends_.back());
  for (double& v : d) v *= scale;
  for (std::size_t k = 0; k < moves_.size(); ++k)
    add(d, weight[k] - dot(bends_[k], d) / dot(moves_[k], bends_[k]), moves_[k]);
  return d;
}

Lbfgs::Point Lbfgs::search(const Closure& closure, const Vector& origin, const Vector& direction, const Point& start,
                           double t, std::int64_t& evaluations) const {
  constexpr double enough = 1e-4, flat = 0.9;
  constexpr int tries = 25;
  const double reach = largest(direction);
  const auto fallen = [&](const Point& p) { return p.finite() && p.loss <= start.loss + enough * p.t * start.slope; };
  const auto good = [&](const Point& p) { return fallen(p) && std::abs(p.slope) <= -flat * start.slope; };
  Point low = start, now{};
  // Steps grow until a good place lies between two of them.
  int tried = 0;
  for (bool enclosed = false; !enclosed; ++tried) {
    now = evaluate(closure, origin, direction, t);
    --evaluations;
    if (good(now)) return now;
    if (!fallen(now) || (tried > 0 && now.loss >= low.loss)) {
      enclosed = true;
    } else {
      if (now.slope >= 0) {
        std::swap(low, now);
        enclosed = true;
      } else {
        low = std::move(now);
        t *= 4;
        if (evaluations <= 0 || tried + 1 >= tries) return low;
      }
    }
  }
  // `low` has fallen enough and lies lowest so far; the slope there points towards `now`.
  while (tried++ < tries && evaluations > 0 && std::abs(now.t - low.t) * reach > options_.tolerance_change) {
    t = now.finite() ? cubic_minimum(low.t, low.loss, low.slope, now.t, now.loss, now.slope) : (low.t + now.t) / 2;
    Point next = evaluate(closure, origin, direction, t);
    --evaluations;
    if (good(next)) return next;
    if (!fallen(next) || next.loss >= low.loss) {
      now = std::move(next);
      continue;
    }
    if (next.slope * (now.t - low.t) >= 0) now = std::move(low);
    low = std::move(next);
  }
  return low;
}

double Lbfgs::step(const Closure& closure) {
  const ProfileSection section(name(), ProfilePhase::optimizer);  // the closure's operations are told apart
  Vector x = read();
  std::int64_t evaluations = options_.max_eval.value_or(options_.max_iter * 5 / 4) - 1;
  Point now = evaluate(closure, x, Vector(count_), 0);
  const double loss = now.loss;
  const auto all_finite = [](const Vector& v) {
    return std::all_of(v.begin(), v.end(), [](double each) { return std::isfinite(each); });
  };
  for (std::int64_t i = 0; i < options_.max_iter; ++i) {
    if (!std::isfinite(now.loss) || !all_finite(now.gradient))
      throw GradError(text("lbfgs: the loss is ", std::isnan(now.loss) ? NAN : now.loss, ", its gradient ",
                           all_finite(now.gradient) ? "finite" : "not finite",
                           "\n  help: choose a smaller lr, or a line search"));
    remember(now.gradient);
    if (largest(now.gradient) <= options_.tolerance_grad) break;
    Vector d = direction(now.gradient);
    now.slope = dot(now.gradient, d);
    now.t = 0;
    const bool searches = options_.line_search_fn == LineSearch::strong_wolfe;
    if (!(now.slope < 0) || (searches && evaluations <= 0)) break;
    // Before anything is known of the curvature, the gradient says nothing of how far to go.
    double length = 0;
    for (const double g : now.gradient) length += std::abs(g);
    double t = moves_.empty() ? std::min(1., 1 / length) * options_.lr : options_.lr;
    const double before = now.loss;
    gradient_ = now.gradient;
    const bool last = i + 1 == options_.max_iter || evaluations <= 0;
    if (searches) {
      now = search(closure, x, d, now, t, evaluations);
      t = now.t;
    }
    move_ = d;
    for (double& v : move_) v *= t;
    add(x, 1, move_);
    write(x);
    if (!searches && !last) {
      now = evaluate(closure, x, d, 0);
      --evaluations;
    }
    if (last || largest(move_) <= options_.tolerance_change) break;
    if (std::abs(now.loss - before) < options_.tolerance_change) break;
  }
  return loss;
}

State Lbfgs::state() const {
  State all = rates();
  if (!moves_.empty()) {
    all.emplace_back("moves", stack(moves_, count_));
    all.emplace_back("bends", stack(bends_, count_));
  }
  if (!move_.empty()) {
    all.emplace_back("gradient", from(gradient_));
    all.emplace_back("move", from(move_));
  }
  return all;
}

void Lbfgs::set_state(const State& state) {
  const auto n = static_cast<std::int64_t>(count_);
  Vector gradient, move;
  std::vector<Vector> moves, bends;
  std::size_t known = rates().size();
  const auto take = [&](const char* name, auto&& use) {
    for (const auto& [key, x] : state)
      if (key == name) {
        if (x.dim() < 1 || x.size(-1) != n)
          throw ConfigError(text("lbfgs: \"", name, "\" of the state has shape ", x.shape(), ", not [..., ", n, "]"));
        use(to_vector<double>(x));
        ++known;
      }
  };
  const auto rows = [n](std::vector<Vector>& to) {
    return [n, &to](const Vector& all) {
      for (auto at = all.begin(); at != all.end(); at += n) to.emplace_back(at, at + n);
    };
  };
  take("moves", rows(moves));
  take("bends", rows(bends));
  take("gradient", [&](const Vector& all) { gradient = all; });
  take("move", [&](const Vector& all) { move = all; });
  if (moves.size() != bends.size() || gradient.size() != move.size() || known != state.size())
    throw ConfigError("lbfgs: the state is incomplete or holds something unknown");
  set_rates(state);
  gradient_ = std::move(gradient);
  move_ = std::move(move);
  moves_ = std::move(moves);
  bends_ = std::move(bends);
}

}  // namespace weft::optim
