#pragma once
#include <cstdint>
#include <vector>

#include <weft/tensor/codes.h>
#include <weft/tensor/tensor.h>

/// Whole sequences through a recurrent cell.
namespace weft::kernels {

/// Numbers per unit: 4 for an LSTM, 3 for a GRU, else 1.
std::int64_t gates_of(Cell cell) noexcept;

/// How the steps of B sequences lie in N rows: `sizes[t]` rows, those of the sequences that reach step t, one step
/// after the other; or, `batch_first`, all steps of one sequence after the other (then all sizes are B).
struct Steps {
  Cell cell = Cell::lstm;
  std::vector<std::int64_t> sizes{};  ///< never growing
  bool reverse = false;               ///< from each sequence's last step to its first
  bool batch_first = false;
};

/// What the gradient reads again. The tanh and relu cells need neither.
struct RecurrentMemory {
  Tensor gates;  ///< (N, G * H), activated
  Tensor extra;  ///< (N, H): an LSTM's c before each step, a GRU's W_hn h + b_hn
};

/// {h of each step (N, H), the last h (B, H), for an LSTM the last c} from what the input gives to the gates (N, G *
/// H), dense and changed in place, W_hh (G * H, H), b_hh (G * H) or undefined, and the first h and c (B, H). All of one
/// type, float32 or float64. `memory` may be null.
std::vector<Tensor> recurrent(const Tensor& gates, const Tensor& weight, const Tensor& bias, const Tensor& h,
                              const Tensor& c, const Steps& steps, RecurrentMemory* memory);

struct KernelTable;
/// W_hh and b_hh as the steps read them, at the instruction-set level that was in use.
struct HiddenWeight {
  Tensor numbers;
  const KernelTable* table;
  std::int64_t gates, hidden;
};
HiddenWeight pack_hidden(const Tensor& weight, const Tensor& bias, Cell cell);
/// The same with a weight that is packed already.
std::vector<Tensor> recurrent(const Tensor& gates, const HiddenWeight& weight, const Tensor& h, const Tensor& c,
                              const Steps& steps, RecurrentMemory* memory);

struct RecurrentGradients {
  Tensor gates;   ///< (N, G * H): of the input's share
  Tensor hidden;  ///< (N, G * H): of W_hh h + b_hh
  Tensor before;  ///< (N, H): h before each step
  Tensor h, c;    ///< of the first states
};
/// dy, dh and dc may be undefined; y is the first result of recurrent().
RecurrentGradients recurrent_grad(const Tensor& dy, const Tensor& dh, const Tensor& dc, const Tensor& y,
                                  const Tensor& weight, const Tensor& h, const RecurrentMemory& memory,
                                  const Steps& steps);

}  // namespace weft::kernels
