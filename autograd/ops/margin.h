#pragma once
#include <weft/autograd/ops/loss.h>

/// Losses that ask for a margin between right and wrong: 0 beyond it. `reduction` as in loss.h. At the margin itself
/// the gradient of max(0, z) is dy, save where 0 is said. Labels y are 1 or -1.
namespace weft {

/// max(0, margin - y (a - b)): a is to be larger where y = 1, b where y = -1.
Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin = 0,
                           Reduction reduction = Reduction::mean);
/// x where y = 1, max(0, margin - x) where y = -1: x is a distance.
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& y, double margin = 1, Reduction reduction = Reduction::mean);
/// log(1 + exp(-y x)), without overflow.
Tensor soft_margin_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
/// 1 - cos(a, b) where y = 1, max(0, cos(a, b) - margin) where y = -1: rows a, b (B, D), y (B,), or (D,) with y of rank
/// 0. Throws ShapeError for other shapes.
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& y, double margin = 0,
                             Reduction reduction = Reduction::mean);

struct TripletOptions {
  double margin = 1;
  double p = 2;       ///< of the distance
  double eps = 1e-6;  ///< added to the differences
  bool swap = false;  ///< the negative counts from the positive where that is nearer
  Reduction reduction = Reduction::mean;
};
/// max(0, margin + |anchor - positive| - |anchor - negative|) with pairwise_distance: (B, D) or (D,). Schroff et al.
/// (2015); swap: Balntas et al. (2016). Throws ConfigError unless margin > 0.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletOptions& options = {});

struct MultiMarginOptions {
  int p = 1;  ///< 1 or 2
  double margin = 1;
  Tensor weight{};  ///< (C,): of the rows of each class
  Reduction reduction = Reduction::mean;
};
/// The sum over classes c != target of max(0, margin - x[target] + x[c])^p / C: x (B, C), target (B,) int64, or (C,)
/// with one target. Throws ShapeError, DtypeError or ConfigError for what does not fit. Gradient: 0 at the margin.
/// Crammer and Singer (2001).
Tensor multi_margin_loss(const Tensor& x, const Tensor& target, const MultiMarginOptions& options = {});
/// The sum over targets t and classes c that are none of max(0, 1 - x[t] + x[c]) / C: x (B, C), target (B, C) int64,
/// whose rows end at the first -1, or both (C,). Throws ShapeError, DtypeError or ConfigError for what does not fit.
/// Gradient: 0 at the margin. Crammer and Singer (2003).
Tensor multilabel_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
/// The mean over the last axis of -(y log s + (1 - y) log(1 - s)), s = sigmoid(x) and y in [0, 1], times a weight (C,)
/// where one is given. Throws ShapeError for two shapes or rank 0.
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& y, const Tensor& weight = Tensor(),
                                   Reduction reduction = Reduction::mean);

}  // namespace weft
