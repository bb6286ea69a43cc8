#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

/// Helpers of the kernels' tests: every level in turn, awkward views, plain loops to compare with.
namespace kernels_testing {

using namespace weft;
using Int = std::int64_t;

inline const std::vector<DType>& all_types() {
  static const std::vector<DType> types = {DType::boolean, DType::uint8,    DType::int8,    DType::int32,
                                           DType::int64,   DType::bfloat16, DType::float32, DType::float64};
  return types;
}
inline const std::vector<DType>& float_types() {
  static const std::vector<DType> types = {DType::bfloat16, DType::float32, DType::float64};
  return types;
}

/// Runs a test at every level this machine has, and goes back to the one in use before.
template <class Body>
void each_level(Body&& body) {
  const std::string before = kernels::level();
  for (const char* level : kernels::available_levels()) {
    kernels::set_level(level);
    CAPTURE(level);
    body();
  }
  kernels::set_level(before.c_str());
}

inline std::vector<double> values(const Tensor& x) { return to_vector<double>(x); }

/// Whole numbers of small size, so that every type holds them: deterministic, with zeros and signs.
inline Tensor sample(const Shape& shape, DType type, Int salt = 1) {
  std::vector<double> v(static_cast<std::size_t>(shape.product()));
  std::uint64_t state = static_cast<std::uint64_t>(salt) * 0x9E3779B97F4A7C15ULL + 1;
  for (double& e : v) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto r = static_cast<Int>((state >> 33) % 13);
    e = type == DType::uint8     ? static_cast<double>(r)
        : type == DType::boolean ? static_cast<double>(r % 2)
                                 : static_cast<double>(r - 6);
    if (is_floating(type)) e /= 2;
  }
  return kernels::cast(from(v, shape), type);
}

/// The same numbers in other memory: dense, transposed, every second element, reversed order of axes.
inline std::vector<Tensor> layouts(const Tensor& dense) {
  std::vector<Tensor> all = {dense};
  const Shape& s = dense.shape();
  const int r = s.size();
  if (r < 1) return all;
  // Axes in reverse order in memory.
  Shape turned = Shape::filled(r, 0);
  for (int i = 0; i < r; ++i) turned[i] = s[r - 1 - i];
  const Tensor base = empty(turned, dense.dtype());
  Strides strides = Strides::filled(r, 0);
  for (int i = 0; i < r; ++i) strides[i] = base.strides()[r - 1 - i];
  const Tensor transposed = view_as(base, s, strides);
  kernels::copy_into(transposed, dense);
  all.push_back(transposed);
  // Every second element of a larger one.
  Shape large = s;
  for (Int& n : large) n = 2 * n + 1;
  const Tensor room = zeros(large, dense.dtype());
  Strides steps = room.strides();
  for (Int& n : steps) n *= 2;
  const Tensor sliced = view_as(room, s, steps, dense.numel() ? 1 : 0);
  kernels::copy_into(sliced, dense);
  all.push_back(sliced);
  return all;
}

/// |a - b| within tolerance, NaN equal to NaN.
inline bool near(double a, double b, double relative, double absolute) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::fabs(a - b) <= absolute + relative * std::fabs(b);
}
inline void check_near(const std::vector<double>& got, const std::vector<double>& wanted, double relative = 0,
                       double absolute = 0) {
  REQUIRE(got.size() == wanted.size());
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!near(got[i], wanted[i], relative, absolute) && wrong++ == 0) first = i;
  if (wrong) {
    INFO("first at ", first, ": got ", got[first], ", expected ", wanted[first], "; ", wrong, " of ", got.size());
    CHECK(wrong == 0);
  } else {
    CHECK(wrong == 0);
  }
}
inline double tolerance(DType type) {
  return type == DType::bfloat16 ? 8e-3 : type == DType::float32 ? 2e-6 : type == DType::float64 ? 1e-13 : 0;
}

/// The message of the error that `body` throws; its type is checked too.
template <class E, class Body>
std::string message(Body&& body) {
  try {
    body();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

inline bool starts(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }

}  // namespace kernels_testing
