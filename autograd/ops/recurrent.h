#pragma once
#include <vector>

#include <weft/tensor/recurrent.h>

/// Recurrent networks.
namespace weft {

using RecurrentCell = kernels::Cell;
/// How a sequence is walked: the cell, the number of rows of each step, the direction.
using RecurrentSteps = kernels::Steps;

/// The weights of one direction of one layer. G is 4 for an LSTM (i, f, g, o), 3 for a GRU (r, z, n), else 1.
struct RecurrentWeights {
  Tensor input;                    ///< (G * H, in)
  Tensor hidden;                   ///< (G * H, H), or (G * H, P) with a projection
  Tensor input_bias, hidden_bias;  ///< (G * H), or undefined
  Tensor projection;               ///< (P, H): h of an LSTM is projected to P numbers; undefined: it is not
};

/// One step: x (B, in) and the states before it, h (B, H) and for an LSTM c, give the states after it. With
/// a = W_ih x + b_ih + W_hh h + b_hh:
/// - tanh, relu: h' = tanh(a), relu(a). Elman (1990).
/// - lstm: c' = sigmoid(a_f) c + sigmoid(a_i) tanh(a_g), h' = sigmoid(a_o) tanh(c'), or what `projection` makes of it.
///   Hochreiter and Schmidhuber (1997), Gers et al. (2000), Sak et al. (2014).
/// - gru: n = tanh(W_in x + b_in + sigmoid(a_r) (W_hn h + b_hn)), h' = n + sigmoid(a_z) (h - n). Cho et al. (2014).
/// Throws ShapeError for sizes that do not fit.
std::vector<Tensor> recurrent_step(RecurrentCell cell, const Tensor& x, const std::vector<Tensor>& states,
                                   const RecurrentWeights& weights);

/// All steps of B sequences: x (N, in), rows as `steps` tells, and the first states (B, H) give {h of every step (N,
/// H), the last h, for an LSTM the last c}. A sequence's last state is that of its own last step, or the first one
/// where it has no steps. Throws ShapeError for sizes that do not fit, ConfigError for sizes of steps that grow.
std::vector<Tensor> recurrent(const Tensor& x, const std::vector<Tensor>& states, const RecurrentWeights& weights,
                              const RecurrentSteps& steps);

}  // namespace weft
