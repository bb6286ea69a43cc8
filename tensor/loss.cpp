#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <weft/tensor/dispatch.h>

/// Losses over labels of varying number: connectionist temporal classification, multilabel margin.
namespace weft::kernels {
namespace {

constexpr double nothing = -std::numeric_limits<double>::infinity();  // log 0

/// log(e^a + e^b + e^c).
double log_sum(double a, double b, double c) {
  const double largest = std::max(a, std::max(b, c));
  if (largest == nothing) return nothing;
  return largest + std::log(std::exp(a - largest) + std::exp(b - largest) + std::exp(c - largest));
}

/// One sequence: scores[t * step + class] and labels, read with a blank before, between and behind them.
template <class T>
struct Sequence {
  const T* scores;
  Int step, steps;
  const Int* labels;
  Int count, blank;

  Int places() const { return 2 * count + 1; }
  Int symbol(Int place) const { return place % 2 == 1 ? labels[place / 2] : blank; }
  double score(Int t, Int place) const { return static_cast<double>(scores[t * step + symbol(place)]); }
  /// Whether a path may go from `place` to `place` + 2: between unequal labels.
  bool skips(Int place) const { return place % 2 == 1 && place + 2 < places() && symbol(place) != symbol(place + 2); }

  /// alpha[t * places + s]: the log-probability of all paths that are at place s after step t.
  void forward(std::vector<double>& alpha) const {
    const Int n = places();
    alpha.assign(static_cast<std::size_t>(steps * n), nothing);
    const auto at = [&](Int t, Int s) -> double& { return alpha[static_cast<std::size_t>(t * n + s)]; };
    if (steps == 0) return;
    for (Int s = 0; s < std::min<Int>(2, n); ++s) at(0, s) = score(0, s);
    for (Int t = 1; t < steps; ++t)
      for (Int s = 0; s < n; ++s)
        at(t, s) = score(t, s) + log_sum(at(t - 1, s), s > 0 ? at(t - 1, s - 1) : nothing,
                                         s > 1 && skips(s - 2) ? at(t - 1, s - 2) : nothing);
  }
  double loss(const std::vector<double>& alpha) const {
    if (steps == 0) return count == 0 ? 0 : -nothing;
    const double* last = alpha.data() + (steps - 1) * places();
    return -log_sum(last[places() - 1], count > 0 ? last[places() - 2] : nothing, nothing);
  }
  /// Calls visit(t, s, beta): beta is the log-probability of all paths from place s at step t to an end, the step
  /// itself left out.
  template <class Visit>
  void backward(Visit visit) const {
    const Int n = places();
    std::vector<double> after(static_cast<std::size_t>(n), nothing), now(after);
    const auto next = [&](Int t, Int s) { return after[static_cast<std::size_t>(s)] + score(t + 1, s); };
    for (Int t = steps - 1; t >= 0; --t) {
      for (Int s = 0; s < n; ++s) {
        double& beta = now[static_cast<std::size_t>(s)];
        if (t == steps - 1)
          beta = s + 2 >= n ? 0 : nothing;
        else
          beta = log_sum(next(t, s), s + 1 < n ? next(t, s + 1) : nothing, skips(s) ? next(t, s + 2) : nothing);
        visit(t, s, beta);
      }
      now.swap(after);
    }
  }
};

template <class T>
Sequence<T> sequence(const T* scores, const Shape& shape, const CtcLabels& labels, Int i) {
  const auto k = static_cast<std::size_t>(i);
  return {scores + i * shape[2], shape[1] * shape[2], labels.steps[k], labels.labels.data() + labels.begin[k],
          labels.counts[k],      labels.blank};
}

template <class T>
void ctc_losses(T* y, const T* scores, const Shape& shape, const CtcLabels& labels) {
  parallel_for(shape[1], std::max<Int>(1, grain / std::max<Int>(1, shape[0] * shape[2])), [&](Int begin, Int end) {
    std::vector<double> alpha;
    for (Int i = begin; i < end; ++i) {
      const Sequence<T> one = sequence(scores, shape, labels, i);
      one.forward(alpha);
      y[i] = static_cast<T>(one.loss(alpha));
    }
  });
}

template <class T>
void ctc_slopes(T* dx, const T* dy, const T* scores, const Shape& shape, const CtcLabels& labels, bool zero_infinity) {
  const Int classes = shape[2];
  parallel_for(shape[1], std::max<Int>(1, grain / std::max<Int>(1, shape[0] * shape[2])), [&](Int begin, Int end) {
    std::vector<double> alpha, share(static_cast<std::size_t>(classes));
    for (Int i = begin; i < end; ++i) {
      const Sequence<T> one = sequence(scores, shape, labels, i);
      one.forward(alpha);
      const double loss = one.loss(alpha), weight = static_cast<double>(dy[i]);
      T* out = dx + i * classes;
      for (Int t = 0; t < shape[0]; ++t)
        for (Int c = 0; c < classes; ++c) out[t * one.step + c] = T(0);
      if (zero_infinity && std::isinf(loss)) continue;
      one.backward([&](Int t, Int s, double beta) {
        // The share of all paths that are at place s then; the places of a step come one after the other.
        if (s == 0) share.assign(share.size(), 0);
        share[static_cast<std::size_t>(one.symbol(s))] +=
            std::exp(alpha[static_cast<std::size_t>(t * one.places() + s)] + beta + loss);
        if (s + 1 < one.places()) return;
        for (Int c = 0; c < classes; ++c)
          out[t * one.step + c] = static_cast<T>(weight * (std::exp(static_cast<double>(one.scores[t * one.step + c])) -
                                                           share[static_cast<std::size_t>(c)]));
      });
    }
  });
}

template <class T>
void multilabel_rows(T* y, T* slope, const T* x, const Int* target, Int rows, Int classes) {
  parallel_for(rows, std::max<Int>(1, grain / std::max<Int>(1, classes * classes)), [=](Int begin, Int end) {
    std::vector<char> named(static_cast<std::size_t>(classes));
    std::vector<double> sum(named.size());
    for (Int r = begin; r < end; ++r) {
      const T* row = x + r * classes;
      const Int* labels = target + r * classes;
      named.assign(named.size(), 0);
      sum.assign(sum.size(), 0);
      Int count = 0;
      while (count < classes && labels[count] >= 0) named[static_cast<std::size_t>(labels[count++])] = 1;
      double loss = 0;
      for (Int j = 0; j < count; ++j)
        for (Int c = 0; c < classes; ++c) {
          const double short_of = 1 - static_cast<double>(row[labels[j]]) + static_cast<double>(row[c]);
          if (named[static_cast<std::size_t>(c)] || !(short_of > 0)) continue;
          loss += short_of;
          sum[static_cast<std::size_t>(c)] += 1;
          sum[static_cast<std::size_t>(labels[j])] -= 1;
        }
      const auto share = static_cast<double>(classes);
      y[r] = static_cast<T>(loss / share);
      for (Int c = 0; c < classes; ++c)
        slope[r * classes + c] = static_cast<T>(sum[static_cast<std::size_t>(c)] / share);
    }
  });
}

}  // namespace

Tensor ctc_rows(const Tensor& log_probabilities, const CtcLabels& labels) {
  const Shape& shape = log_probabilities.shape();
  const DType type = native(log_probabilities.dtype());
  const Tensor x = contiguous(cast(log_probabilities, type));
  Tensor y = empty({shape[1]}, type);
  if (type == DType::float64)
    ctc_losses(y.mutable_data<double>(), x.data<double>(), shape, labels);
  else
    ctc_losses(y.mutable_data<float>(), x.data<float>(), shape, labels);
  return cast(y, log_probabilities.dtype());
}

Tensor ctc_rows_grad(const Tensor& dy, const Tensor& log_probabilities, const CtcLabels& labels, bool zero_infinity) {
  const Shape& shape = log_probabilities.shape();
  const DType type = native(log_probabilities.dtype());
  const Tensor x = contiguous(cast(log_probabilities, type)), g = contiguous(cast(dy, type));
  Tensor dx = empty(shape, type);
  if (type == DType::float64)
    ctc_slopes(dx.mutable_data<double>(), g.data<double>(), x.data<double>(), shape, labels, zero_infinity);
  else
    ctc_slopes(dx.mutable_data<float>(), g.data<float>(), x.data<float>(), shape, labels, zero_infinity);
  return cast(dx, log_probabilities.dtype());
}

Tensor multilabel_margin_rows(const Tensor& x, const Tensor& target, Tensor& slope) {
  const Int rows = x.shape()[0], classes = x.shape()[1];
  const DType type = native(x.dtype());
  const Tensor scores = contiguous(cast(x, type)), labels = contiguous(target);
  const Int* label = labels.data<Int>();
  for (Int i = 0; i < labels.numel(); ++i)
    if (label[i] < -1 || label[i] >= classes)
      throw ConfigError(text("multilabel_margin_loss: target ", label[i], " at position ", i, " is outside the ",
                             classes, " classes\n  help: number classes from 0 to ", classes - 1,
                             ", and end them with -1"));
  Tensor y = empty({rows}, type), each = empty(x.shape(), type);
  if (type == DType::float64)
    multilabel_rows(y.mutable_data<double>(), each.mutable_data<double>(), scores.data<double>(), label, rows, classes);
  else
    multilabel_rows(y.mutable_data<float>(), each.mutable_data<float>(), scores.data<float>(), label, rows, classes);
  slope = cast(each, x.dtype());
  return cast(y, x.dtype());
}

}  // namespace weft::kernels
