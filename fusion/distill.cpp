#include <weft/fusion/distill.h>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

/// The losses of rows, each with its weight (undefined: 1), in one number unless each is wanted.
Tensor reduced(const Tensor& losses, const Tensor& weights, Reduction reduction) {
  if (reduction == Reduction::none) return weights.defined() ? losses * weights : losses;
  if (reduction == Reduction::sum) return sum(weights.defined() ? losses * weights : losses);
  return weights.defined() ? weighted_mean(losses, weights) : mean(losses);
}

}  // namespace

Tensor soft_target_loss(const Tensor& student, const Tensor& teacher, const DistillationOptions& o) {
  if (student.dim() != 2 || student.shape() != teacher.shape())
    throw ShapeError(text("distillation: the student says ", student.shape(), ", the teacher ", teacher.shape(),
                          "\n  help: give logits (B, C) of both"));
  if (!(o.temperature > 0))
    throw ConfigError(text("distillation: temperature is ", o.temperature, "\n  help: choose a number above 0"));
  const double t = o.temperature;
  const Tensor wanted = log_softmax(to(detach(teacher), student.dtype()) / t, 1);
  const Tensor apart = wanted - log_softmax(student / t, 1);
  return reduced(sum(exp(wanted) * apart, {1}) * (t * t), o.weights, o.reduction);
}

Tensor distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& target,
                         const DistillationOptions& o) {
  if (!(o.hard >= 0 && o.hard <= 1))
    throw ConfigError(text("distillation: hard is ", o.hard, "\n  help: choose a share from 0 to 1"));
  const bool taught = !o.weights.defined() || any(gt(o.weights, 0)).item() != 0;
  Tensor total = sum(student) * 0.0;
  if (o.hard < 1 && taught) total = soft_target_loss(student, teacher, o) * (1 - o.hard);
  if (o.hard == 0) return total;
  Tensor counts = to(ne(target, -100), student.dtype());
  if (o.hard_weights.defined()) counts = counts * to(o.hard_weights, student.dtype());
  if (any(gt(counts, 0)).item() != 0)
    total =
        total + reduced(cross_entropy(student, target, {.reduction = Reduction::none}), counts, o.reduction) * o.hard;
  return total;
}

}  // namespace weft::fusion
