#include <weft/fusion/uncertainty.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

void check_bounds(const char* who, double low, double high) {
  if (!(std::isfinite(low) && std::isfinite(high) && low < high))
    throw ConfigError(text(who, ": the log-variance is bounded by ", low, " and ", high,
                           "\n  help: choose a low bound below the high one"));
}

/// clamp(s) whose gradient is passed on inside the bounds, and outside where it leads back; `slope` is the sign of the
/// loss's derivative to s there. A plain clamp would never let go of an s that a large step carried too far.
Tensor bounded(const Tensor& s, const Tensor& held, const Tensor& slope, double low, double high) {
  const Tensor outward = logical_or(logical_and(lt(s, low), gt(slope, 0)), logical_and(gt(s, high), lt(slope, 0)));
  return where(outward, held, s + detach(held - s));
}

Tensor held_within(const Tensor& s, double low, double high) { return clamp(detach(s), low, high); }

Tensor reduced(const char* who, const Tensor& losses, const Tensor& weights, Reduction reduction) {
  if (weights.defined() && reduction == Reduction::mean) return weighted_mean(losses, weights);
  Tensor all = losses;
  if (weights.defined()) {
    bool fits = weights.dim() <= losses.dim();
    for (int i = 0; fits && i < weights.dim(); ++i) fits = weights.shape()[i] == losses.shape()[i];
    if (!fits)
      throw ShapeError(text(who, ": the losses are ", losses.shape(), ", the weights ", weights.shape(),
                            "\n  help: pass a weight for each sample"));
    if (any(lt(weights, 0)).item() != 0) throw ConfigError(text(who, ": there is a negative weight"));
    Tensor w = to(weights, losses.dtype());
    while (w.dim() < losses.dim()) w = unsqueeze(w, w.dim());
    all = losses * w;
  }
  switch (reduction) {
    case Reduction::none: return all;
    case Reduction::mean: return mean(all);
    case Reduction::sum: return sum(all);
    case Reduction::batchmean: return sum(all) / static_cast<double>(all.size(0));
  }
  return all;
}

/// Whether `small` has the axes of `large`, each of its size or of size 1.
bool spreads_to(const Tensor& small, const Tensor& large) {
  bool fits = small.dim() == large.dim();
  for (int i = 0; fits && i < small.dim(); ++i) fits = small.shape()[i] == large.shape()[i] || small.shape()[i] == 1;
  return fits;
}

}  // namespace

Tensor heteroscedastic_loss(const Tensor& prediction, const Tensor& log_variance, const Tensor& target,
                            const HeteroscedasticOptions& options) {
  const char* who = "heteroscedastic_loss";
  const auto [low, high] = options.bounds;
  check_bounds(who, low, high);
  if (!(prediction.shape() == target.shape()))
    throw ShapeError(text(who, ": the prediction is ", prediction.shape(), ", the target ", target.shape()));
  if (!spreads_to(log_variance, prediction))
    throw ShapeError(text(who, ": the prediction is ", prediction.shape(), ", the log-variance ", log_variance.shape(),
                          "\n  help: give it the prediction's axes, or size 1 where a variance is shared"));
  const Tensor squares = square(prediction - to(target, prediction.dtype()));
  const Tensor held = held_within(log_variance, low, high);
  // A shared s is pulled by the sum over all that share it.
  const Tensor slope = sum_to(1 - exp(neg(held)) * detach(squares), log_variance.shape());
  const Tensor s = bounded(log_variance, held, slope, low, high);
  const Tensor losses = exp(neg(s)) * squares + s;
  return reduced(who, options.half ? losses * 0.5 : losses, options.weights, options.reduction);
}

Tensor noisy_log_probabilities(const Tensor& logits, const Tensor& log_variance, Generator& generator,
                               const NoisyLogitsOptions& options) {
  const char* who = "noisy_log_probabilities";
  const auto [low, high] = options.bounds;
  check_bounds(who, low, high);
  if (options.samples < 1)
    throw ConfigError(text(who, ": there are ", options.samples, " draws\n  help: choose 1 or more"));
  if (logits.dim() != 2 || !spreads_to(log_variance, logits))
    throw ShapeError(text(who, ": the logits are ", logits.shape(), ", the log-variance ", log_variance.shape(),
                          "\n  help: pass (N, C) and (N, C) or (N, 1)"));
  const Tensor noise =
      randn({options.samples, logits.size(0), logits.size(1)}, 0, 1, logits.dtype(), generator);  // (T, N, C)
  const Tensor noisy = logits + exp(clamp(log_variance, low, high) * 0.5) * noise;                // (T, N, C)
  return logsumexp(log_softmax(noisy, 2), 0) - std::log(static_cast<double>(options.samples));    // (N, C)
}

Tensor heteroscedastic_cross_entropy(const Tensor& logits, const Tensor& log_variance, const Tensor& target,
                                     Generator& generator, const NoisyLogitsOptions& options) {
  const Tensor log_p = noisy_log_probabilities(logits, log_variance, generator, options);
  return reduced("heteroscedastic_cross_entropy", nll_loss(log_p, target, {.reduction = Reduction::none}),
                 options.weights, options.reduction);
}

// ---- TaskWeights

namespace {

double factor(Task task) { return task == Task::regression ? 0.5 : 1; }

}  // namespace

TaskWeights::TaskWeights(const std::vector<Task>& of, DType dtype, const LogVarianceBounds& bounds)
    : log_variance(zeros({static_cast<std::int64_t>(of.size())}, dtype).set_requires_grad()),
      tasks(of),
      low(bounds.low),
      high(bounds.high) {
  if (of.empty()) throw ConfigError("task_weights: there are no tasks");
  check_bounds("task_weights", low, high);
}

Tensor TaskWeights::operator()(const std::vector<Tensor>& losses) const {
  if (losses.size() != tasks.size())
    throw ShapeError(text("task_weights: there are ", losses.size(), " losses, but ", tasks.size(), " tasks"));
  Tensor total;
  for (std::size_t k = 0; k < losses.size(); ++k) {
    const Tensor& loss = losses[k];
    if (!loss.defined()) continue;
    if (loss.dim() != 0)
      throw ShapeError(
          text("task_weights: loss ", k, " is ", loss.shape(), ", not a single number\n  help: reduce it"));
    const Tensor s = select(log_variance, 0, static_cast<std::int64_t>(k)), held = held_within(s, low, high);
    const double c = factor(tasks[k]);
    const Tensor slope = 0.5 - exp(neg(held)) * detach(loss) * c, used = bounded(s, held, slope, low, high);
    const Tensor part = exp(neg(used)) * loss * c + used * 0.5;
    total = total.defined() ? total + part : part;
  }
  if (!total.defined()) throw ConfigError("task_weights: no task has a loss\n  help: leave this batch out");
  return total;
}

Tensor TaskWeights::weights() const {
  const NoGrad off;
  std::vector<double> c;
  for (const Task task : tasks) c.push_back(factor(task));
  return exp(neg(held_within(log_variance, low, high))) * to(from(c), log_variance.dtype());
}

// ---- SampleVariance

SampleVariance::SampleVariance(const SampleVarianceOptions& o)
    : center(o.center), strength(o.strength), low(o.bounds.low), high(o.bounds.high) {
  const char* who = "sample_variance";
  check_bounds(who, low, high);
  if (o.samples < 1 || o.outputs < 0)
    throw ConfigError(text(who, ": there are ", o.samples, " samples of ", o.outputs,
                           " outputs\n  help: choose 1 sample or more, and 0 outputs for targets of shape (N,)"));
  if (!(std::isfinite(strength) && strength >= 0))
    throw ConfigError(text(who, ": strength is ", strength, "\n  help: choose 0 or more"));
  for (const double s : {o.initial, o.center})
    if (!(s >= low && s <= high))
      throw ConfigError(text(who, ": a log-variance of ", s, " is not within ", low, " and ", high));
  const Shape shape = o.outputs > 0 ? Shape{o.samples, o.outputs} : Shape{o.samples};
  log_variance = full(shape, o.initial, o.dtype).set_requires_grad();
}

Tensor SampleVariance::operator()(const Tensor& ids) const { return index_select(log_variance, 0, ids); }

Tensor SampleVariance::penalty(const Tensor& ids, bool half) const {
  const Tensor s = (*this)(ids), held = held_within(s, low, high);
  const Tensor used = bounded(s, held, 1 - exp(center - held), low, high);
  return mean(used - center + exp(center - used) - 1) * (half ? 0.5 * strength : strength);
}

}  // namespace weft::fusion
