#include <weft/fusion/distill.h>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

/// The losses of rows as the options say.
Tensor reduced(const Tensor& losses, const DistillationOptions& o) {
  if (o.reduction == Reduction::none) return o.weights.defined() ? losses * o.weights : losses;
  if (o.reduction == Reduction::sum) return sum(o.weights.defined() ? losses * o.weights : losses);
  return o.weights.defined() ? weighted_mean(losses, o.weights) : mean(losses);
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
  return reduced(sum(exp(wanted) * apart, {1}) * (t * t), o);
}

Tensor distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& target,
                         const DistillationOptions& o) {
  if (!(o.hard >= 0 && o.hard <= 1))
    throw ConfigError(text("distillation: hard is ", o.hard, "\n  help: choose a share from 0 to 1"));
  const bool taught = !o.weights.defined() || any(gt(o.weights, 0)).item() != 0;
  Tensor total = sum(student) * 0.0;
  if (o.hard < 1 && taught) total = soft_target_loss(student, teacher, o) * (1 - o.hard);
  if (o.hard > 0 && any(ne(target, -100)).item() != 0)
    total = total + cross_entropy(student, target, {.reduction = o.reduction}) * o.hard;
  return total;
}

}  // namespace weft::fusion
