#include <weft/autograd/ops/margin.h>

#include <limits>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/checks.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/distance.h>
#include <weft/autograd/ops/embedding.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using detail::reduced;
using detail::zero_of;

/// max(0, z); dy at 0.
Tensor hinge(const Tensor& z) { return clamp(z, 0, std::numeric_limits<double>::infinity()); }

/// Scores and targets as rows: those of one sample as a batch of one.
struct MarginRows {
  Tensor x, target;
  bool single;
};
/// `targets_per_row`: whether the target of a row is a row itself.
MarginRows margin_rows(const char* op, const Tensor& x, const Tensor& target, bool targets_per_row) {
  if (target.dtype() != DType::int64)
    throw DtypeError(text(op, ": the target is ", target.dtype(), "\n  help: pass class numbers as int64"));
  const bool single = x.dim() < 2;
  if (x.dim() > 2) throw ShapeError(text(op, ": scores ", x.shape(), " are not (B, C) or (C,)"));
  const std::int64_t classes = x.dim() == 0 ? 1 : x.shape()[x.dim() - 1], batch = single ? 1 : x.shape()[0];
  const Shape wanted = targets_per_row ? Shape{batch, classes} : Shape{batch};
  if (target.numel() != wanted.product() || target.dim() > wanted.size() || (!single && !(target.shape() == wanted)))
    throw ShapeError(text(op, ": scores ", x.shape(), " do not fit a target ", target.shape()));
  if (classes == 0) throw ShapeError(text(op, ": scores ", x.shape(), " have no classes"));
  return {reshape(x, {batch, classes}), reshape(target, wanted), single};
}

Tensor reduced_rows(const Tensor& losses, bool single, Reduction reduction) {
  return reduced(single ? squeeze(losses, 0) : losses, reduction);
}

}  // namespace

Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin, Reduction reduction) {
  return reduced(hinge(y * (b - a) + margin), reduction);
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& y, double margin, Reduction reduction) {
  const Tensor beyond = hinge(margin - x), none = zero_of(x);
  return reduced(where(ne(y, 1), beyond, none) + where(ne(y, -1), x, none), reduction);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction) {
  return reduced(softplus(neg(y * x)), reduction);
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin, Reduction reduction) {
  if (y.dim() > 1 || a.dim() != y.dim() + 1 || b.dim() != a.dim())
    throw ShapeError(text("cosine_embedding_loss: a is ", a.shape(), ", b ", b.shape(), ", y ", y.shape(),
                          "\n  help: pass (B, D), (B, D) and (B,), or (D,), (D,) and one number"));
  const DType type = promote(promote(a.dtype(), b.dtype()), Scalar(margin));
  const Tensor u = to(a, type), v = to(b, type);
  constexpr double tiny = 1e-12;  // keeps rows of zeros apart from a division by 0
  const Tensor lengths = sqrt((sum(square(u), -1) + tiny) * (sum(square(v), -1) + tiny));
  const Tensor cosine = sum(u * v, -1) / lengths, none = zero_of(cosine);
  return reduced(where(eq(y, 1), 1.0 - cosine, none) + where(eq(y, -1), hinge(cosine - margin), none), reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletOptions& options) {
  if (!(options.margin > 0))
    throw ConfigError(text("triplet_margin_loss: margin is ", options.margin, "\n  help: choose one above 0"));
  const DType type = promote(promote(anchor.dtype(), positive.dtype()), negative.dtype());
  const Tensor a = to(anchor, type), p = to(positive, type), n = to(negative, type);
  const Tensor near = pairwise_distance(a, p, options.p, options.eps);
  Tensor far = pairwise_distance(a, n, options.p, options.eps);
  if (options.swap) far = minimum(far, pairwise_distance(p, n, options.p, options.eps));
  return reduced(hinge(near - far + options.margin), options.reduction);
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& target, const MultiMarginOptions& options) {
  if (options.p != 1 && options.p != 2)
    throw ConfigError(text("multi_margin_loss: p is ", options.p, "\n  help: choose 1 or 2"));
  const MarginRows rows = margin_rows("multi_margin_loss", x, target, false);
  const std::int64_t classes = rows.x.shape()[1];
  detail::check_classes("multi_margin_loss", rows.target, classes);
  if (options.weight.defined() && !(options.weight.shape() == Shape{classes}))
    throw ShapeError(
        text("multi_margin_loss: the weight is ", options.weight.shape(), ", there are ", classes, " classes"));
  const Tensor chosen = gather(rows.x, 1, unsqueeze(rows.target, 1));
  const Tensor short_of = rows.x - chosen + options.margin;
  const Tensor others = logical_not(one_hot(rows.target, classes));
  Tensor losses = where(logical_and(others, gt(short_of, 0)), short_of, zero_of(short_of));
  if (options.p == 2) losses = square(losses);
  losses = sum(losses, 1) / static_cast<double>(classes);
  if (options.weight.defined()) losses = losses * index_select(options.weight, 0, rows.target);
  return reduced_rows(losses, rows.single, options.reduction);
}

Tensor multilabel_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const MarginRows rows = margin_rows("multilabel_margin_loss", x, target, true);
  const Tensor losses = record(
      {"multilabel_margin_loss"}, {rows.x, rows.target},
      [](const Inputs& in, Keep& keep) {
        Tensor slope;
        Tensor y = kernels::multilabel_margin_rows(in[0], in[1], slope);
        keep(slope);
        return y;
      },
      [](const Saved& s, const Tensor& dy) { return gradients(unsqueeze(dy, 1) * s.kept(0), Tensor()); });
  return reduced_rows(losses, rows.single, reduction);
}

Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& y, const Tensor& weight, Reduction reduction) {
  if (!(x.shape() == y.shape()) || x.dim() == 0)
    throw ShapeError(text("multilabel_soft_margin_loss: x is ", x.shape(), ", y ", y.shape(),
                          "\n  help: pass two tensors (..., C)"));
  const auto [p, t] = detail::promoted(x, y);
  Tensor losses = softplus(p) - p * t;
  if (weight.defined()) losses = losses * weight;
  return reduced(mean(losses, -1), reduction);
}

}  // namespace weft
