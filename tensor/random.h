#pragma once
#include <array>
#include <cstdint>

#include <weft/tensor/tensor.h>

/// Random numbers by Philox4x32-10 (Salmon et al. 2011): number i of a stream is a pure function
/// of (seed, i), so results do not depend on threads, and any part can be made again.
namespace weft {

/// A place in a stream. Drawing advances `offset`; the same (seed, offset) gives the same numbers.
struct Generator {
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;
  /// Reserves `count` numbers and returns where they begin.
  std::uint64_t take(std::uint64_t count) noexcept {
    const std::uint64_t at = offset;
    offset += count;
    return at;
  }
  /// The next 64 random bits.
  std::uint64_t bits() noexcept;
  /// Uniform in [0, 1).
  double uniform() noexcept;
  /// Standard normal.
  double normal() noexcept;
  /// Uniform in {0, ..., n-1}; n > 0.
  std::int64_t below(std::int64_t n) noexcept;
};

namespace detail {
/// The raw function: four random words from a counter and a key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) noexcept;
}  // namespace detail

/// This thread's default generator, used where none is passed.
Generator& default_generator() noexcept;
/// Restarts this thread's default generator.
void manual_seed(std::uint64_t seed) noexcept;

/// Uniform in [low, high); float types only.
Tensor rand(const Shape& shape, double low = 0, double high = 1, DType dtype = DType::float32,
            Generator& generator = default_generator());
/// Normal.
Tensor randn(const Shape& shape, double mean = 0, double deviation = 1, DType dtype = DType::float32,
             Generator& generator = default_generator());
/// Whole numbers in [low, high).
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, DType dtype = DType::int64,
               Generator& generator = default_generator());
/// 0 ... n-1 in random order (int64).
Tensor randperm(std::int64_t n, Generator& generator = default_generator());
/// 1 with the given probability, else 0.
Tensor bernoulli(const Shape& shape, double probability, DType dtype = DType::float32,
                 Generator& generator = default_generator());

}  // namespace weft
