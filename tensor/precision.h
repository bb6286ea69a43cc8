#pragma once
#include <cstdint>

#include <weft/tensor/tensor.h>

/// In which precision float32 matrices are multiplied.
namespace weft::kernels {

/// bfloat16: the factors are rounded to it (8 significant bits, so that a factor is off by a 256th at most) and their
/// products added up in float32.
enum class Precision : std::uint8_t { full, bfloat16 };

/// This thread's, for matmul(), linear(), convolution and attention with their gradients, where they get float32.
/// Everything else is full, always.
Precision product_precision() noexcept;

/// Sets it while it lives.
class [[nodiscard]] ProductPrecision {
 public:
  explicit ProductPrecision(Precision precision) noexcept;
  ~ProductPrecision();
  ProductPrecision(const ProductPrecision&) = delete;
  ProductPrecision& operator=(const ProductPrecision&) = delete;

 private:
  Precision before_;
};

/// Whether bfloat16 is faster here: the CPU has AVX512_BF16 or AMX-BF16, the level in use is v4, and oneDNN, which has
/// the instructions, is in use. Also true where it is emulated.
bool has_bfloat16() noexcept;
/// Whether the CPU has AVX512_BF16 or AMX-BF16, beside all of level v4.
bool cpu_has_bfloat16() noexcept;
/// For tests on other CPUs: bfloat16 is computed although it is slower, by oneDNN's emulation or in float32 with
/// rounded factors. The environment variable WEFT_BFLOAT16=emulate does the same from the start.
void emulate_bfloat16(bool on) noexcept;

/// x (float32) with its numbers rounded to bfloat16.
Tensor rounded_to_bfloat16(const Tensor& x);

}  // namespace weft::kernels
