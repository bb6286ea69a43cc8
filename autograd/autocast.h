#pragma once
#include <weft/tensor/precision.h>

/// Training and inference with products in bfloat16.
namespace weft {

/// While it lives, this thread's `linear` and `matmul` (with all that is made of them), convolutions and attention
/// multiply in bfloat16 and add up in float32, where their inputs are float32; recurrent layers stay as they are.
/// Tensors stay float32: parameters, their gradients and the optimiser's state are full, only factors are rounded on
/// their way into a product. Gradient rules multiply as their forward did, wherever backward() is called; so does what
/// a checkpoint computes again. A factor is off by a relative 2^-8 at most, a sum of k products by about 0.6 * 2^-8 *
/// sqrt(sum a_i^2 b_i^2).
///
///   Tensor loss;
///   {
///     const Autocast scope(DType::bfloat16);
///     loss = cross_entropy(net(x), y);
///   }
///   loss.backward();
///   optimizer.step();
///
/// Scopes nest, and DType::float32 is full precision inside of another scope. Throws DtypeError for any other type.
/// Where the CPU has no bfloat16 (see has_bfloat16()) there is one warning per process and everything stays float32.
class [[nodiscard]] Autocast {
 public:
  explicit Autocast(DType dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  kernels::Precision before_;
};

/// In which type this thread's products are computed now: bfloat16, or float32 for none of that.
DType autocast_dtype() noexcept;

namespace detail {

extern constinit thread_local kernels::Precision autocast_precision;

/// Operations multiply in this precision while it lives.
class [[nodiscard]] CastAs {
 public:
  explicit CastAs(kernels::Precision precision) noexcept : before_(autocast_precision) {
    autocast_precision = precision;
  }
  ~CastAs() { autocast_precision = before_; }
  CastAs(const CastAs&) = delete;
  CastAs& operator=(const CastAs&) = delete;

 private:
  kernels::Precision before_;
};

}  // namespace detail
}  // namespace weft
