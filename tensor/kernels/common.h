#pragma once
#include <cstdint>

#include <weft/tensor/dtype.h>
#include <weft/tensor/kernels/table.h>

/// Helpers of the loops. Everything is static or anonymous: these files are compiled once per
/// instruction-set level, and a function the linker could share between levels would carry AVX-512
/// code into the baseline (tests/lint looks for such symbols).

#define WEFT_JOIN_TEXT(a, b) a##_##b
#define WEFT_JOIN(a, b) WEFT_JOIN_TEXT(a, b)
/// The name with the level behind it: WEFT_LEVELED(install_rows) is install_rows_v3.
#define WEFT_LEVELED(name) WEFT_JOIN(name, WEFT_LEVEL)

#define WEFT_INLINE [[gnu::always_inline]] inline
#define WEFT_INLINE_LAMBDA __attribute__((always_inline))
/// Iterations are independent; in-place (y equal to x) is fine.
#define WEFT_SIMD _Pragma("omp simd")

namespace weft::kernels {

// The parts of a level, one per file.
void WEFT_LEVELED(install_unary)(KernelTable&);
void WEFT_LEVELED(install_binary)(KernelTable&);
void WEFT_LEVELED(install_movement)(KernelTable&);
void WEFT_LEVELED(install_reduce)(KernelTable&);
void WEFT_LEVELED(install_rows)(KernelTable&);
void WEFT_LEVELED(install_channels)(KernelTable&);
void WEFT_LEVELED(install_windows)(KernelTable&);
void WEFT_LEVELED(install_gemm)(KernelTable&);
void WEFT_LEVELED(install_recurrent)(KernelTable&);
void WEFT_LEVELED(install_attention)(KernelTable&);
void WEFT_LEVELED(install_sparse)(KernelTable&);
void WEFT_LEVELED(install_steps)(KernelTable&);
void WEFT_LEVELED(install_random)(KernelTable&);

namespace {

using Int = std::int64_t;

template <class T>
constexpr T infinity = static_cast<T>(__builtin_inf());
template <class T>
constexpr T not_a_number = static_cast<T>(__builtin_nan(""));

template <class T>
constexpr bool is_float = false;
template <>
constexpr bool is_float<float> = true;
template <>
constexpr bool is_float<double> = true;

/// dtype.h's BFloat16 has inline members, which may not be used here.
struct Half {
  std::uint16_t bits;
};
[[maybe_unused]] WEFT_INLINE float to_float(Half h) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(h.bits) << 16);
}
[[maybe_unused]] WEFT_INLINE Half to_half(float v) {
  const auto u = __builtin_bit_cast(std::uint32_t, v);
  const std::uint32_t rounded = (u + 0x7fffU + ((u >> 16) & 1U)) >> 16;
  return {static_cast<std::uint16_t>((u & 0x7fffffffU) > 0x7f800000U ? 0x7fc0U : rounded)};
}

// Integer arithmetic wraps around, as in PyTorch.
[[maybe_unused]] WEFT_INLINE Int wrap_add(Int a, Int b) {
  return static_cast<Int>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
[[maybe_unused]] WEFT_INLINE Int wrap_sub(Int a, Int b) {
  return static_cast<Int>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
[[maybe_unused]] WEFT_INLINE Int wrap_mul(Int a, Int b) {
  return static_cast<Int>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

}  // namespace
}  // namespace weft::kernels
