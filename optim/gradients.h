#pragma once
#include <vector>

#include <weft/tensor/tensor.h>

/// What is done to gradients and parameters between backward() and step(), and penalties to add to a loss.
namespace weft::optim {

/// The norm (sum |g|^norm_type)^(1 / norm_type) of all gradients taken together, the largest |g| for infinity.
/// Parameters without gradient count 0. NaN when any gradient holds NaN. Throws ConfigError unless norm_type is above
/// 0.
double gradient_norm(const std::vector<Tensor>& parameters, double norm_type = 2);
/// Scales all gradients together so that their gradient_norm() is at most `limit`; returns the norm before. A norm that
/// is not finite makes the gradients not finite (as in PyTorch) or, on request, throws GradError. ConfigError for a
/// negative limit. Pascanu et al. (2013).
double clip_gradient_norm(const std::vector<Tensor>& parameters, double limit, double norm_type = 2,
                          bool error_if_nonfinite = false);
/// Holds every number of every gradient within [-limit, limit]; NaN stays. Throws ConfigError for a negative limit.
void clip_gradient_value(const std::vector<Tensor>& parameters, double limit);

/// factor * sum |p| over the given parameters: a scalar to add to the loss. Its gradient pushes weights towards
/// 0 but seldom onto it; soft_threshold() does.
Tensor l1_penalty(const std::vector<Tensor>& parameters, double factor);
/// factor / 2 * sum p^2 over the given parameters: a scalar to add to the loss, whose gradient is factor * p, as that
/// of `weight_decay` in Sgd and Adam. ConfigError when there are no parameters. Hoerl and Kennard (1970).
Tensor l2_penalty(const std::vector<Tensor>& parameters, double factor);
/// The proximal step of the L1 penalty, in place: p = sign(p) * max(|p| - threshold, 0), with
/// threshold = learning rate * factor. Gives true zeros. Beck and Teboulle (2009).
void soft_threshold(const std::vector<Tensor>& parameters, double threshold);
/// The same for the sum of the L2 norms of groups, which become 0 as a whole: g = g * max(1 - threshold / |g|, 0) for
/// each slice g = parameter[..., i, ...] of an axis: axis 1 of a first layer's weight drops features, axis 0 neurons.
/// Throws ConfigError for a negative threshold, ShapeError for an axis out of range. Yuan and Lin (2006).
void group_soft_threshold(const Tensor& parameter, int axis, double threshold);
/// The same for one group of several parameters taken together, |g| the norm of all their numbers: a whole encoder or
/// projection, so that its modality is dropped as a whole. Throws ConfigError for a negative threshold and for no
/// parameters.
void group_soft_threshold(const std::vector<Tensor>& group, double threshold);
/// The share of the parameters' numbers that are exactly 0. Throws ConfigError when there are none.
double zero_fraction(const std::vector<Tensor>& parameters);

}  // namespace weft::optim
