#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weft/tensor/tensor.h>

namespace weft::optim {

/// Averages of a model's parameters and buffers over its last steps, in place: average += (1 - d) * (now - average),
/// with d = min(decay, (1 + step) / (10 + step)) so that the beginning is soon forgotten; tensors of integers are
/// copied. The average of a model that wanders around an optimum lies nearer to it than any single step. Polyak and
/// Juditsky (1992). `average` and `now` are state(model) of two models of one kind, `step` counts from 1. Throws
/// ConfigError for a decay outside [0, 1), ShapeError when the two do not match.
void average_state(const std::vector<std::pair<std::string, Tensor>>& average,
                   const std::vector<std::pair<std::string, Tensor>>& now, double decay, std::int64_t step);

}  // namespace weft::optim
