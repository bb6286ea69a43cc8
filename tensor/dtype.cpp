#include <weft/tensor/dtype.h>

#include <ostream>

namespace weft {

const char* name(DType type) noexcept {
  constexpr const char* names[dtype_count] = {"bool",  "uint8",    "int8",    "int32",
                                              "int64", "bfloat16", "float32", "float64"};
  return names[static_cast<int>(type)];
}

std::ostream& operator<<(std::ostream& out, DType type) { return out << name(type); }

DType promote(DType a, DType b) noexcept {
  if (a == b) return a;
  if ((a == DType::uint8 && b == DType::int8) || (a == DType::int8 && b == DType::uint8)) return DType::int32;
  return a > b ? a : b;  // the enumeration is in order of promotion
}

DType promote(DType tensor, const Scalar& scalar) noexcept {
  const DType kind = scalar.kind();
  if (kind == DType::boolean || is_floating(tensor)) return tensor;
  if (kind == DType::float64) return DType::float32;
  return tensor == DType::boolean ? DType::int64 : tensor;
}

}  // namespace weft
