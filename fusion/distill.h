#pragma once
#include <weft/autograd/ops/loss.h>

/// One model teaches another: what a strong modality says is a softer and richer target than a label, and it can be had
/// for samples without a label.
namespace weft::fusion {

struct DistillationOptions {
  double temperature = 2;  ///< T: larger shows more of what the teacher thinks of the other classes
  double hard = 0.5;       ///< share of the cross-entropy with the target in distillation_loss(), in [0, 1]
  Reduction reduction = Reduction::mean;
  Tensor weights{};       ///< (B,) per sample, e.g. 1 where the teacher has its modality and 0 elsewhere; undefined: 1
  Tensor hard_weights{};  ///< (B,) per sample, of the cross-entropy in distillation_loss(); undefined: 1
};

/// T^2 KL(softmax(teacher / T) || softmax(student / T)) per sample. The factor keeps gradients of one size for any T.
/// Shapes: (B, C) both -> (), or (B,) without reduction. Logits or log-probabilities, e.g. Output::logits. The teacher
/// is a constant and gets no gradient. Throws ShapeError for other shapes, ConfigError unless T > 0, and as
/// weighted_mean(). Gradient to the student: T (softmax(student / T) - softmax(teacher / T)) per sample. Hinton,
/// Vinyals and Dean (2015).
Tensor soft_target_loss(const Tensor& student, const Tensor& teacher, const DistillationOptions& options = {});

/// hard * cross-entropy(student, target) + (1 - hard) * soft_target_loss(student, teacher), each a weighted mean with
/// weights of its own: a sample that the teacher cannot judge is learned from its label. target: (B,) int64, -100
/// where there is no label. A part for which no sample is left counts 0. Throws as soft_target_loss() and
/// cross_entropy(), ConfigError for `hard` outside [0, 1].
///
/// To teach a weak modality by a strong one: train a Classifier on all modalities (or the strong one), put it into
/// eval(), make one for the weak modality alone, and minimise over all samples that have both
///
///   const Tensor says = [&] { const NoGrad off; return teacher(both).logits; }();
///   fusion::distillation_loss(student(both.select(weak)).logits, says, target).backward();
Tensor distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& target,
                         const DistillationOptions& options = {});

}  // namespace weft::fusion
