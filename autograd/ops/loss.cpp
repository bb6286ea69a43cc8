#include <weft/autograd/ops/loss.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/checks.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/embedding.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

Tensor detail::reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return losses;
    case Reduction::mean: return mean(losses);
    case Reduction::sum: return sum(losses);
    case Reduction::batchmean: break;
  }
  return losses.dim() == 0 ? losses : sum(losses) / static_cast<double>(losses.shape()[0]);
}

namespace detail {

void check_classes(std::string_view op, const Tensor& target, std::int64_t classes, std::int64_t ignored) {
  const Tensor dense = kernels::contiguous(target);
  const std::int64_t* y = dense.data<std::int64_t>();
  for (std::int64_t i = 0; i < dense.numel(); ++i)
    if (y[i] != ignored && (y[i] < 0 || y[i] >= classes))
      throw ConfigError(text(op, ": target ", y[i], " at position ", i, " is outside the ", classes,
                             " classes\n  help: number classes from 0 to ", classes - 1));
}

}  // namespace detail

namespace {

using detail::reduced;

void check_rows(const char* op, const Tensor& scores, const Tensor& target, const CrossEntropyOptions& options) {
  if (target.dtype() != DType::int64)
    throw DtypeError(text(op, ": the target is ", target.dtype(), "\n  help: pass class numbers as int64"));
  if (target.dim() != 1 || target.shape()[0] != scores.shape()[0])
    throw ShapeError(
        text(op, ": scores ", scores.shape(), " need a target [", scores.shape()[0], "], it is ", target.shape()));
  if (options.weight.defined() && (options.weight.dim() != 1 || options.weight.shape()[0] != scores.shape()[1]))
    throw ShapeError(
        text(op, ": the weight is ", options.weight.shape(), ", there are ", scores.shape()[1], " classes"));
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    throw ConfigError(
        text(op, ": label_smoothing is ", options.label_smoothing, "\n  help: choose a share from 0 to 1"));
}

/// Per row: the weight of its class, 0 where it is ignored.
Tensor row_weights(const Tensor& target, const CrossEntropyOptions& options, DType dtype) {
  const Tensor counts = ne(target, options.ignore_index);
  if (!options.weight.defined()) return to(counts, dtype);
  const Tensor safe = where(counts, target, scalar(0, DType::int64));
  return index_select(to(options.weight, dtype), 0, safe) * to(counts, dtype);
}

/// How many rows are not ignored.
std::int64_t counted(const Tensor& target, std::int64_t ignore) {
  const std::int64_t *y = target.data<std::int64_t>(), step = target.strides()[0], n = target.shape()[0];
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < n; ++i) count += y[i * step] != ignore;
  return count;
}

/// The mean divides by the weights of the rows that count.
Tensor reduced_rows(const Tensor& losses, const Tensor& target, const CrossEntropyOptions& options) {
  if (options.reduction != Reduction::mean) return reduced(losses, options.reduction);
  return sum(losses) / sum(row_weights(target, options, losses.dtype()));
}

/// The losses of the rows, with the softmax inside: one pass forward, one backward.
Tensor fused_rows(const Tensor& logits, const Tensor& target, const Tensor& weight, std::int64_t ignore) {
  return record(
      {"cross_entropy", {{"ignore_index", ignore}}, saves::inputs}, {logits, target, weight},
      [ignore](const Inputs& in, Keep& keep) {
        Tensor log_probabilities;
        Tensor rows = kernels::cross_entropy_rows(in[0], in[1], in[2], ignore, log_probabilities);
        keep(log_probabilities);
        return rows;
      },
      [ignore](const Saved& s, const Tensor& dy) {
        const Tensor &x = s.input(0), &y = s.input(1), &w = s.input(2);
        if (!grad_enabled()) return gradients(kernels::cross_entropy_rows_grad(dy, s.kept(0), y, w, ignore));
        const Tensor counts = ne(y, ignore), safe = where(counts, y, scalar(0, DType::int64));
        Tensor scale = where(counts, dy, detail::zero_of(dy));
        if (w.defined()) scale = scale * index_select(w, 0, safe);
        const Tensor excess = softmax(x, 1) - to(one_hot(safe, x.shape()[1]), x.dtype());
        return gradients(unsqueeze(scale, 1) * excess);
      });
}

/// The losses of rows of log-probabilities whose targets and options are checked.
Tensor chosen_rows(const Tensor& log_probabilities, const Tensor& target, const CrossEntropyOptions& options) {
  const Tensor counts = ne(target, options.ignore_index);
  const Tensor safe = where(counts, target, scalar(0, DType::int64));
  const Tensor chosen = squeeze(gather(log_probabilities, 1, unsqueeze(safe, 1)), 1);
  return neg(chosen) * row_weights(target, options, log_probabilities.dtype());
}

/// The losses of scores that are not (batch, classes): each place of (B, C, ...) becomes a row.
template <class Loss>
Tensor by_rows(const char* op, const Tensor& scores, const Tensor& target, const CrossEntropyOptions& options,
               Loss loss) {
  const int axis = scores.dim() == 1 ? 0 : 1;
  Shape places = scores.shape();
  if (places.empty()) throw ShapeError(text(op, ": the scores have no axis of classes"));
  const std::int64_t classes = places[axis];
  places.erase(axis);
  if (!(target.shape() == places))
    throw ShapeError(text(op, ": scores ", scores.shape(), " need a target ", places, ", it is ", target.shape()));
  std::vector<int> order;
  for (int i = 0; i < scores.dim(); ++i)
    if (i != axis) order.push_back(i);
  order.push_back(axis);
  const std::int64_t rows = places.product();
  const Tensor y = loss(reshape(permute(scores, order), {rows, classes}), reshape(target, {rows}), options);
  return options.reduction == Reduction::none ? reshape(y, places) : y;
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  if (logits.dim() != 2) return by_rows("cross_entropy", logits, target, options, cross_entropy);
  check_rows("cross_entropy", logits, target, options);
  if (options.label_smoothing == 0) {
    const Tensor weight = options.weight.defined() ? to(options.weight, logits.dtype()) : Tensor();
    const Tensor rows = fused_rows(logits, target, weight, options.ignore_index);
    if (options.reduction == Reduction::mean && !weight.defined())  // each row that is not ignored counts 1
      return sum(rows) / static_cast<double>(counted(target, options.ignore_index));
    return reduced_rows(rows, target, options);
  }
  // (1 - e) * loss(target) + e / C * sum over classes of w_c * -log p_c, as if e of the label were spread evenly.
  const double share = options.label_smoothing, classes = static_cast<double>(logits.shape()[1]);
  detail::check_classes("cross_entropy", target, logits.shape()[1], options.ignore_index);
  const Tensor log_probabilities = log_softmax(logits, 1);
  const Tensor chosen = chosen_rows(log_probabilities, target, options);
  const Tensor weighted =
      options.weight.defined() ? log_probabilities * to(options.weight, logits.dtype()) : log_probabilities;
  const Tensor counts = to(ne(target, options.ignore_index), logits.dtype());
  const Tensor spread = neg(sum(weighted, 1)) * counts;
  return reduced_rows(chosen * (1 - share) + spread * (share / classes), target, options);
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const CrossEntropyOptions& options) {
  if (log_probabilities.dim() != 2) return by_rows("nll_loss", log_probabilities, target, options, nll_loss);
  check_rows("nll_loss", log_probabilities, target, options);
  detail::check_classes("nll_loss", target, log_probabilities.shape()[1], options.ignore_index);
  return reduced_rows(chosen_rows(log_probabilities, target, options), target, options);
}

Tensor weighted_mean(const Tensor& losses, const Tensor& weights) {
  bool fits = weights.dim() <= losses.dim();
  for (int i = 0; fits && i < weights.dim(); ++i) fits = weights.shape()[i] == losses.shape()[i];
  if (!fits)
    throw ShapeError(text("weighted_mean: the losses are ", losses.shape(), ", the weights ", weights.shape(),
                          "\n  help: pass the losses with Reduction::none and a weight for each sample"));
  const DType type = is_floating(losses.dtype()) ? losses.dtype() : DType::float32;
  const Tensor w = to(weights, type);
  if (any(lt(w, 0)).item() != 0) throw ConfigError("weighted_mean: there is a negative weight");
  const Tensor total = sum(w);
  if (!(total.item() > 0)) throw ConfigError("weighted_mean: no weight is above 0");
  std::vector<int> inner;
  for (int i = w.dim(); i < losses.dim(); ++i) inner.push_back(i);
  return sum((inner.empty() ? losses : mean(losses, inner)) * w) / total;
}

Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction) { return reduced(square(x - y), reduction); }

Tensor l1_loss(const Tensor& x, const Tensor& y, Reduction reduction) { return reduced(abs(x - y), reduction); }

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, Reduction reduction) {
  return binary_cross_entropy_with_logits(x, y, {.reduction = reduction});
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options) {
  if (!(x.shape() == y.shape()))
    throw ShapeError(text("binary_cross_entropy_with_logits: x is ", x.shape(), ", y ", y.shape()));
  // log(1 + e^x) - x y, where log(1 + e^x) = log(1 + e^-x) + x; weighted: (1 - y) x + (1 + (w - 1) y) log(1 + e^-x).
  Tensor losses;
  const auto [p, t] = detail::promoted(x, y);
  if (options.pos_weight.defined())
    losses = p - p * t + (t * (options.pos_weight - 1) + 1) * softplus(neg(p));
  else
    losses = softplus(p) - p * t;
  if (options.weight.defined()) losses = losses * options.weight;
  return reduced(losses, options.reduction);
}

namespace {

/// d^2 / 2 where |d| <= bound, else bound * (|d| - bound / 2): in this form infinite differences have a gradient.
Tensor bounded_square(const Tensor& difference, double bound) {
  const Tensor held = clamp(difference, -bound, bound);
  return held * (difference - held * 0.5);
}

}  // namespace

Tensor huber_loss(const Tensor& x, const Tensor& y, double delta, Reduction reduction) {
  if (!(delta > 0)) throw ConfigError(text("huber_loss: delta is ", delta, "\n  help: choose one above 0"));
  return reduced(bounded_square(x - y, delta), reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& y, double beta, Reduction reduction) {
  if (!(beta >= 0)) throw ConfigError(text("smooth_l1_loss: beta is ", beta, "\n  help: choose one from 0 on"));
  if (beta == 0) return l1_loss(x, y, reduction);
  return reduced(bounded_square(x - y, beta) / beta, reduction);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options) {
  if (!(x.shape() == y.shape())) throw ShapeError(text("binary_cross_entropy: x is ", x.shape(), ", y ", y.shape()));
  if (options.pos_weight.defined())
    throw ConfigError("binary_cross_entropy: takes no pos_weight\n  help: use binary_cross_entropy_with_logits");
  if (all(logical_and(ge(x, 0), le(x, 1))).item() == 0)
    throw ConfigError(text("binary_cross_entropy: x ", x.shape(),
                           " has numbers outside [0, 1]\n  help: pass probabilities, as from sigmoid"));
  const double none = std::numeric_limits<double>::infinity();
  const auto [p, t] = detail::promoted(x, y);
  Tensor losses = record(
      {"binary_cross_entropy", {}, saves::inputs}, {p, t},
      [none](const Inputs& in) {
        using kernels::Binary, kernels::Unary, kernels::binary, kernels::unary;
        const Tensor yes = kernels::clamp(unary(Unary::log, in[0]), -100, none);
        const Tensor no = kernels::clamp(unary(Unary::log1p, unary(Unary::neg, in[0])), -100, none);
        // (y - 1) no - y yes
        return binary(Binary::sub, binary(Binary::mul, binary(Binary::sub, in[1], 1), no),
                      binary(Binary::mul, in[1], yes));
      },
      [none](const Saved& s, const Tensor& dy) {
        const Tensor &in = s.input(0), &wanted = s.input(1);
        Tensor dx, dt;
        if (s.needs(0)) dx = dy * (in - wanted) / clamp(in * (1.0 - in), 1e-12, none);
        if (s.needs(1)) dt = dy * (log1p(neg(in)) - log(in));
        return gradients(dx, dt);
      });
  if (options.weight.defined()) losses = losses * options.weight;
  return reduced(losses, options.reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target, Reduction reduction) {
  const auto [p, t] = detail::promoted(x, target);
  return reduced(log_target ? exp(t) * (t - p) : xlogy(t, t) - t * p, reduction);
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonOptions& options) {
  const auto [rate, count] = detail::promoted(x, target);
  Tensor losses = options.log_input ? exp(rate) - count * rate : rate - count * log(rate + options.eps);
  if (options.full) {
    // Where the target counts as 1 or less a harmless number stands in, so that no NaN reaches the gradient.
    const Tensor many = gt(count, 1), t = where(many, count, scalar(1, count.dtype()));
    const Tensor stirling = t * log(t) - t + log(t * (2 * std::numbers::pi)) * 0.5;
    losses = losses + where(many, stirling, detail::zero_of(stirling));
  }
  return reduced(losses, options.reduction);
}

Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& variance,
                         const GaussianOptions& options) {
  if (!(options.eps > 0))
    throw ConfigError(text("gaussian_nll_loss: eps is ", options.eps, "\n  help: choose one above 0"));
  Tensor spread = variance;
  if (!(spread.shape() == x.shape())) {
    Shape rows = x.shape(), singles = x.shape();
    if (x.dim() > 0) {
      rows.erase(x.dim() - 1);
      singles[x.dim() - 1] = 1;
    }
    if (x.dim() > 0 && spread.shape() == rows)
      spread = unsqueeze(spread, -1);
    else if (!(spread.shape() == singles))
      throw ShapeError(text("gaussian_nll_loss: x is ", x.shape(), ", the variance ", variance.shape(),
                            "\n  help: give a variance for each element, or one for each line of the last axis"));
  }
  if (any(lt(spread, 0)).item() != 0) throw ConfigError("gaussian_nll_loss: there is a negative variance");
  spread = detail::raised(spread, options.eps);
  Tensor losses = (log(spread) + square(x - target) / spread) * 0.5;
  if (options.full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return reduced(losses, options.reduction);
}

// ---- connectionist temporal classification

namespace {

using Lengths = std::vector<std::int64_t>;

/// The labels of each of the n sequences, checked.
kernels::CtcLabels aligned_labels(const Tensor& x, const Tensor& targets, const Lengths& steps, const Lengths& counts,
                                  std::int64_t blank) {
  const std::int64_t n = x.shape()[1], classes = x.shape()[2];
  if (targets.dtype() != DType::int64 && targets.dtype() != DType::int32)
    throw DtypeError(text("ctc_loss: the targets are ", targets.dtype(), "\n  help: pass class numbers as int64"));
  if (blank < 0 || blank >= classes)
    throw ConfigError(text("ctc_loss: blank ", blank, " is outside the ", classes, " classes"));
  for (const Lengths* each : {&steps, &counts})
    if (static_cast<std::int64_t>(each->size()) != n)
      throw ShapeError(text("ctc_loss: ", each == &steps ? "input" : "target", "_lengths has ", each->size(),
                            " entries for ", n, " sequences"));
  const bool padded = targets.dim() == 2;
  if (targets.dim() > 2 || targets.dim() == 0 || (padded && targets.shape()[0] != n))
    throw ShapeError(text("ctc_loss: the targets are ", targets.shape(), " for ", n, " sequences"));

  kernels::CtcLabels labels{to_vector<std::int64_t>(kernels::cast(targets, DType::int64)), {}, counts, steps, blank};
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (steps[i] < 0 || steps[i] > x.shape()[0])
      throw ConfigError(
          text("ctc_loss: input length ", steps[i], " of sequence ", i, " is not from 0 to ", x.shape()[0]));
    const std::int64_t most = padded ? targets.shape()[1] : targets.shape()[0] - begin;
    if (counts[i] < 0 || counts[i] > most)
      throw ConfigError(text("ctc_loss: target length ", counts[i], " of sequence ", i, " is not from 0 to ", most));
    labels.begin.push_back(padded ? static_cast<std::int64_t>(i) * most : begin);
    begin += counts[i];
    for (std::int64_t k = 0; k < counts[i]; ++k) {
      const std::int64_t label = labels.labels[static_cast<std::size_t>(labels.begin[i] + k)];
      if (label < 0 || label >= classes)
        throw ConfigError(text("ctc_loss: label ", label, " of sequence ", i, " is outside the ", classes, " classes"));
    }
  }
  return labels;
}

}  // namespace

Tensor ctc_loss(const Tensor& log_probabilities, const Tensor& targets, const Lengths& input_lengths,
                const Lengths& target_lengths, const CtcOptions& options) {
  if (!is_floating(log_probabilities.dtype()))
    throw DtypeError(text("ctc_loss: takes floating types, not ", log_probabilities.dtype()));
  if (log_probabilities.dim() == 2) {
    const Tensor row = targets.dim() == 1 ? unsqueeze(targets, 0) : targets;
    const Tensor y = ctc_loss(unsqueeze(log_probabilities, 1), row, input_lengths, target_lengths, options);
    return options.reduction == Reduction::none ? squeeze(y, 0) : y;
  }
  if (log_probabilities.dim() != 3)
    throw ShapeError(text("ctc_loss: log-probabilities ", log_probabilities.shape(), " are not (T, B, C)"));
  const kernels::CtcLabels labels =
      aligned_labels(log_probabilities, targets, input_lengths, target_lengths, options.blank);
  const bool zero_infinity = options.zero_infinity;
  Tensor losses = record(
      {"ctc_loss", {{"blank", options.blank}, {"zero_infinity", zero_infinity}}, saves::inputs}, {log_probabilities},
      [=](const Inputs& in) {
        const Tensor y = kernels::ctc_rows(in[0], labels);
        return zero_infinity ? kernels::where(isinf(y), detail::zero_of(y), y) : y;
      },
      [labels, zero_infinity](const Saved& s, const Tensor& dy) {
        return record(
            {"ctc_loss_grad"}, {dy, s.input(0)},
            [=](const Inputs& in) { return kernels::ctc_rows_grad(in[0], in[1], labels, zero_infinity); },
            [](const Saved&, const Tensor&) -> std::array<Tensor, 2> {
              throw GradError("ctc_loss: it has no second derivative");
            });
      });
  if (options.reduction == Reduction::mean) {
    Tensor counts = kernels::cast(from(target_lengths), losses.dtype());
    counts = kernels::clamp(counts, 1, std::numeric_limits<double>::infinity());
    losses = losses / counts;
  }
  return reduced(losses, options.reduction);
}

}  // namespace weft
