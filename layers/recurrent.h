#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <weft/autograd/ops/recurrent.h>
#include <weft/layers/module.h>

/// Recurrent networks over sequences x (T, B, input_size), or (B, T, input_size) with batch_first, or (T, input_size)
/// for a single one. T may be 0. Parameters are named as in PyTorch (weight_ih_l0, bias_hh_l1_reverse ...) and begin
/// uniform within 1 / sqrt(hidden_size).
namespace weft {

/// How long each sequence of a batch is, from 0 to T, in any order; none given: T for all. Steps behind the end are not
/// looked at and give 0, and a sequence's last state is that of its own last step; the reverse direction begins there.
using Lengths = std::vector<std::int64_t>;

struct RecurrentResult {
  Tensor output;  ///< every step of the last layer, both directions side by side: (T, B, directions * hidden)
  Tensor h;       ///< the last state of each layer and direction: (num_layers * directions, B, hidden)
};
struct LSTMState {
  Tensor h, c;  ///< (num_layers * directions, B, hidden)
};
struct LSTMResult {
  Tensor output, h, c;
};

namespace detail {

struct RecurrentOptions {
  const char* name;
  RecurrentCell cell;
  std::int64_t input_size, hidden_size, num_layers, proj_size;
  bool bias, batch_first, bidirectional;
  double dropout;
  DType dtype;
};

/// What RNN, LSTM and GRU share: weights, shapes, layers, directions, lengths.
class Recurrent {
 public:
  void visit(const std::string& name, Visitor& v);

 protected:
  explicit Recurrent(const RecurrentOptions& options);
  /// Returns the output and the last states; `initial`: h, or h and c, undefined where they begin at 0.
  std::vector<Tensor> run(const Tensor& x, const std::vector<Tensor>& initial, const Lengths& lengths) const;

 private:
  std::string name_;
  RecurrentCell cell_;
  std::int64_t input_size_, hidden_size_, layers_, directions_, output_size_;
  bool batch_first_;
  double dropout_;
  Mode mode_;
  std::vector<RecurrentWeights> weights_;  ///< of layer l, direction d at l * directions + d
};

}  // namespace detail

enum class Nonlinearity { tanh, relu };

struct RNNOptions {
  std::int64_t input_size;
  std::int64_t hidden_size;
  std::int64_t num_layers = 1;
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;  ///< between layers, while training
  bool bidirectional = false;
  DType dtype = DType::float32;
};
/// h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh). Elman (1990).
class RNN : public detail::Recurrent {
 public:
  explicit RNN(const RNNOptions& options);
  /// `h` begins at 0 where it is not given. Throws ShapeError for sizes that do not fit, ConfigError for a length
  /// outside [0, T].
  RecurrentResult operator()(const Tensor& x, const Tensor& h = Tensor(), const Lengths& lengths = {}) const;
};

struct LSTMOptions {
  std::int64_t input_size;
  std::int64_t hidden_size;
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  std::int64_t proj_size = 0;  ///< the state h is projected to so many numbers; 0: not at all. Sak et al. (2014)
  DType dtype = DType::float32;
};
/// i, f, o = sigmoid(...), g = tanh(...) of W_ih x_t + b_ih + W_hh h_(t-1) + b_hh (in the order i, f, g, o);
/// c_t = f c_(t-1) + i g; h_t = o tanh(c_t). Hochreiter and Schmidhuber (1997), Gers et al. (2000).
class LSTM : public detail::Recurrent {
 public:
  explicit LSTM(const LSTMOptions& options);
  LSTMResult operator()(const Tensor& x, const LSTMState& state = {}, const Lengths& lengths = {}) const;
};

struct GRUOptions {
  std::int64_t input_size;
  std::int64_t hidden_size;
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  DType dtype = DType::float32;
};
/// r, z = sigmoid(...), n = tanh(W_in x_t + b_in + r (W_hn h_(t-1) + b_hn)); h_t = (1 - z) n + z h_(t-1).
/// Cho et al. (2014).
class GRU : public detail::Recurrent {
 public:
  explicit GRU(const GRUOptions& options);
  RecurrentResult operator()(const Tensor& x, const Tensor& h = Tensor(), const Lengths& lengths = {}) const;
};

struct CellOptions {
  std::int64_t input_size;
  std::int64_t hidden_size;
  bool bias = true;
  Nonlinearity nonlinearity = Nonlinearity::tanh;  ///< of RNNCell
  DType dtype = DType::float32;
};
/// One step: x (B, input_size) or (input_size), h (B, hidden_size) or (hidden_size), 0 where not given.
struct RNNCell {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  Nonlinearity nonlinearity;
  explicit RNNCell(const CellOptions& options);
  Tensor operator()(const Tensor& x, const Tensor& h = Tensor()) const;
  void fields(auto&& f) {
    f("weight_ih", weight_ih, "weight_hh", weight_hh, "bias_ih", bias_ih, "bias_hh", bias_hh, "nonlinearity",
      nonlinearity);
  }
};
struct LSTMCell {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  explicit LSTMCell(const CellOptions& options);
  LSTMState operator()(const Tensor& x, const LSTMState& state = {}) const;
  void fields(auto&& f) { f("weight_ih", weight_ih, "weight_hh", weight_hh, "bias_ih", bias_ih, "bias_hh", bias_hh); }
};
struct GRUCell {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  explicit GRUCell(const CellOptions& options);
  Tensor operator()(const Tensor& x, const Tensor& h = Tensor()) const;
  void fields(auto&& f) { f("weight_ih", weight_ih, "weight_hh", weight_hh, "bias_ih", bias_ih, "bias_hh", bias_hh); }
};

/// Sequences of different lengths without their padding: the rows of step 0 of all sequences, longest first, then of
/// step 1 ... For exchange with code that thinks this way; the layers take padded sequences with lengths.
struct PackedSequence {
  Tensor data;                            ///< (sum of lengths, ...)
  std::vector<std::int64_t> batch_sizes;  ///< how many sequences are still there at each step
  std::vector<std::int64_t> order;        ///< place in the batch of the longest, the second longest ...
};
/// x (T, B, ...) or (B, T, ...) with batch_first. Throws ConfigError for a length outside [0, T].
PackedSequence pack_padded_sequence(const Tensor& x, const Lengths& lengths, bool batch_first = false);
struct PaddedSequence {
  Tensor x;
  Lengths lengths;
};
struct PadPackedOptions {
  bool batch_first = false;
  double padding_value = 0;        ///< what stands behind the end of each sequence
  std::int64_t total_length = -1;  ///< T of the result; -1: the longest length
};
/// The reverse. Throws ConfigError for a total_length below the longest, or a packing that contradicts itself.
PaddedSequence pad_packed_sequence(const PackedSequence& packed, const PadPackedOptions& options = {});

}  // namespace weft
