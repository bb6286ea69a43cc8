#include <weft/autograd/ops/loss.h>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

Tensor reduced(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::sum ? sum(losses) : mean(losses);
}

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
  const Tensor log_probabilities = log_softmax(logits, 1);
  CrossEntropyOptions each = options;
  each.reduction = Reduction::none;
  const Tensor chosen = nll_loss(log_probabilities, target, each);
  const Tensor weighted =
      options.weight.defined() ? log_probabilities * to(options.weight, logits.dtype()) : log_probabilities;
  const Tensor counts = to(ne(target, options.ignore_index), logits.dtype());
  const Tensor spread = neg(sum(weighted, 1)) * counts;
  return reduced_rows(chosen * (1 - share) + spread * (share / classes), target, options);
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const CrossEntropyOptions& options) {
  if (log_probabilities.dim() != 2) return by_rows("nll_loss", log_probabilities, target, options, nll_loss);
  check_rows("nll_loss", log_probabilities, target, options);
  const Tensor counts = ne(target, options.ignore_index);
  const Tensor safe = where(counts, target, scalar(0, DType::int64));
  const Tensor chosen = squeeze(gather(log_probabilities, 1, unsqueeze(safe, 1)), 1);
  return reduced_rows(neg(chosen) * row_weights(target, options, log_probabilities.dtype()), target, options);
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
  if (options.pos_weight.defined())
    losses = x - x * y + (y * (options.pos_weight - 1) + 1) * softplus(neg(x));
  else
    losses = softplus(x) - x * y;
  if (options.weight.defined()) losses = losses * options.weight;
  return reduced(losses, options.reduction);
}

}  // namespace weft
