#pragma once
#include <cstdint>
#include <span>

#include <weft/autograd/record.h>

/// How much an operation moves and computes, by formula: what profile.h promises.
namespace weft::detail {

struct Work {
  double read = 0, written = 0;  ///< bytes
  double flops = 0;
  Work& operator+=(const Work& other) noexcept {
    read += other.read;
    written += other.written;
    flops += other.flops;
    return *this;
  }
};

enum class WorkKind : std::uint8_t {
  elementwise,
  product,             ///< matmul, linear
  convolution,         ///< x, weight -> y
  convolution_input,   ///< dy, weight -> dx; transposed convolutions
  convolution_weight,  ///< dy, x -> dweight
  attention,
  recurrent,
  moving  ///< copies numbers: no arithmetic
};
WorkKind work_kind(const char* operation);

/// The arithmetic of an operation's rule, where it follows from the operation.
struct BackwardWork {
  double per_product = 0;  ///< for each of the gradients of the first two inputs
  double fixed = 0;
  bool known() const noexcept { return per_product > 0 || fixed > 0; }
};

Work forward_work(WorkKind kind, const Inputs& inputs, std::span<const Tensor> outputs, BackwardWork& backward);
/// `nested`: what the operations did that the rule called.
Work rule_work(const Node& node, const Tensor* dys, const Tensor* dxs, const BackwardWork& backward,
               const Work& nested);

}  // namespace weft::detail
