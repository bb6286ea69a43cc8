#pragma once
#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace weft {

/// Element types. bfloat16 is a storage type: arithmetic on it is done in float32 and rounded.
enum class DType : std::uint8_t { boolean, uint8, int8, int32, int64, bfloat16, float32, float64 };
inline constexpr int dtype_count = 8;

/// The upper half of a float32 (1 sign, 8 exponent, 7 mantissa bits), rounded to nearest even.
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) noexcept {
    const std::uint32_t u = __builtin_bit_cast(std::uint32_t, value);
    const bool nan = (u & 0x7fffffffU) > 0x7f800000U;
    bits = nan ? std::uint16_t{0x7fc0} : static_cast<std::uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
  }
  explicit operator float() const noexcept { return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16); }
};

/// Bytes of one element.
constexpr std::size_t size_of(DType type) noexcept {
  constexpr std::uint8_t bytes[dtype_count] = {1, 1, 1, 4, 8, 2, 4, 8};
  return bytes[static_cast<int>(type)];
}
constexpr bool is_floating(DType type) noexcept { return type >= DType::bfloat16; }
constexpr bool is_integer(DType type) noexcept { return type > DType::boolean && type < DType::bfloat16; }
/// "float32", "int64", "bool", ...
const char* name(DType type) noexcept;
std::ostream& operator<<(std::ostream& out, DType type);

/// The type that holds both: bool < uint8, int8 < int32 < int64 < bfloat16 < float32 < float64;
/// uint8 with int8 gives int32 (PyTorch's table with int16 left out).
DType promote(DType a, DType b) noexcept;

/// The DType of a C++ type: dtype_of<float> == DType::float32.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::uint8;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::int8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::int32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::int64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::bfloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::float32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::float64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// A plain number with its kind, so that `x * 2` keeps an integer tensor integer and `x * 2.0` does not.
class Scalar {
 public:
  Scalar(bool v) noexcept : kind_(DType::boolean), integer_(v) {}
  Scalar(int v) noexcept : kind_(DType::int64), integer_(v) {}
  Scalar(std::int64_t v) noexcept : kind_(DType::int64), integer_(v) {}
  Scalar(float v) noexcept : kind_(DType::float64), real_(v) {}
  Scalar(double v) noexcept : kind_(DType::float64), real_(v) {}
  /// boolean, int64 or float64.
  DType kind() const noexcept { return kind_; }
  double real() const noexcept { return kind_ == DType::float64 ? real_ : static_cast<double>(integer_); }
  /// Cut towards 0; what int64 cannot hold goes to its ends, NaN to 0.
  std::int64_t integer() const noexcept {
    if (kind_ != DType::float64) return integer_;
    constexpr double end = 9223372036854775808.0;  // 2^63
    if (real_ >= end) return INT64_MAX;
    if (real_ < -end) return INT64_MIN;
    return real_ == real_ ? static_cast<std::int64_t>(real_) : 0;
  }

 private:
  DType kind_;
  union {
    std::int64_t integer_;
    double real_;
  };
};

/// The type of `tensor op scalar`: the tensor's own, unless the number is of a higher kind
/// (bool < integer < floating); then int64 or float32.
DType promote(DType tensor, const Scalar& scalar) noexcept;

}  // namespace weft
