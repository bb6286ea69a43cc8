#include <cmath>

#include <weft/tensor/dispatch.h>
#include <weft/tensor/random.h>

namespace weft {
namespace {

using kernels::Int;

/// A first seed that differs from run to run is a trap for teaching and tests: streams begin at 0 unless seeded.
thread_local Generator default_stream;

std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t a0 = a & 0xffffffffU, a1 = a >> 32, b0 = b & 0xffffffffU, b1 = b >> 32;
  const std::uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
  const std::uint64_t lower = a0 * b1 + (middle & 0xffffffffU);
  return a1 * b1 + (middle >> 32) + (lower >> 32);
}
/// A number in [0, range) from 64 random bits; range 0 stands for 2^64.
std::uint64_t bounded(std::uint64_t bits, std::uint64_t range) noexcept {
  return range == 0 ? bits : multiply_high(bits, range);
}

/// 64-bit number i of a stream, as in kernels/random.cpp: space 1, two numbers a block.
std::uint64_t bits_at(std::uint64_t seed, std::uint64_t i) noexcept {
  const std::uint64_t block = i / 2;
  const auto word =
      detail::philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 1, 0},
                         {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const std::size_t w = 2 * (i % 2);
  return static_cast<std::uint64_t>(word[w]) | static_cast<std::uint64_t>(word[w + 1]) << 32;
}

void check_bounds(const char* op, double low, double high) {
  if (!(low <= high) || !std::isfinite(low) || !std::isfinite(high))
    throw ConfigError(text(op, ": the range from ", low, " to ", high, " is empty or infinite"));
}
void check_float(const char* op, DType type) {
  if (!is_floating(type)) throw DtypeError(text(op, ": gives floating types, not ", type, "\n  help: use randint"));
}

}  // namespace

std::array<std::uint32_t, 4> detail::philox4x32(std::array<std::uint32_t, 4> counter,
                                                std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * counter[0], p1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

std::uint64_t Generator::bits() noexcept { return bits_at(seed, take(1)); }
double Generator::uniform() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }
double Generator::normal() noexcept {
  const std::uint64_t i = take(1), pair = i & ~std::uint64_t{1};
  const double u = (static_cast<double>(bits_at(seed, pair) >> 11) + 0.5) * 0x1p-53;
  const double angle = static_cast<double>(bits_at(seed, pair + 1) >> 11) * (0x1p-53 * 6.28318530717958647693);
  return std::sqrt(-2.0 * std::log(u)) * ((i & 1U) ? std::sin(angle) : std::cos(angle));
}
std::int64_t Generator::below(std::int64_t n) noexcept {
  return static_cast<std::int64_t>(bounded(bits(), static_cast<std::uint64_t>(n)));
}

Generator& default_generator() noexcept { return default_stream; }
void manual_seed(std::uint64_t seed) noexcept { default_stream = Generator{seed, 0}; }

namespace kernels {

void random_fill(const Tensor& dst, Distribution distribution, double a, double b, std::uint64_t seed,
                 std::uint64_t offset) {
  if (dst.numel() == 0) return;
  const DType type = dst.dtype();
  const bool wide = type == DType::float64 && distribution != Distribution::bernoulli;
  const DType made = wide ? DType::float64 : DType::float32;
  if (!dst.is_contiguous() || type != made) {
    const Tensor dense = empty(dst.shape(), made);
    random_fill(dense, distribution, a, b, seed, offset);
    copy_into(dst, dense);
    return;
  }
  const KernelTable& t = table();
  char* to = bytes_to_write(dst);
  const Int item = item_size(made);
  // Whole batches of the kernels, so that no block is made twice.
  constexpr Int unit = 256;
  const Int n = dst.numel();
  parallel_for((n + unit - 1) / unit, grain / 2 / unit, [&](Int begin, Int end) {
    const Int first = begin * unit, count = (end * unit < n ? end * unit : n) - first;
    void* y = to + first * item;
    const std::uint64_t at = offset + static_cast<std::uint64_t>(first);
    switch (distribution) {
      case Distribution::uniform: t.random_uniform[wide](y, count, a, b, seed, at); break;
      case Distribution::normal: t.random_normal[wide](y, count, a, b, seed, at); break;
      case Distribution::bernoulli: t.random_bernoulli(static_cast<float*>(y), count, a, seed, at); break;
    }
  });
}

}  // namespace kernels

Tensor rand(const Shape& shape, double low, double high, DType dtype, Generator& generator) {
  check_float("rand", dtype);
  check_bounds("rand", low, high);
  Tensor x = empty(shape, dtype);
  kernels::random_fill(x, kernels::Distribution::uniform, low, high, generator.seed,
                       generator.take(static_cast<std::uint64_t>(x.numel())));
  return x;
}

Tensor randn(const Shape& shape, double mean, double deviation, DType dtype, Generator& generator) {
  check_float("randn", dtype);
  if (!(deviation >= 0)) throw ConfigError(text("randn: deviation ", deviation, " is negative"));
  Tensor x = empty(shape, dtype);
  kernels::random_fill(x, kernels::Distribution::normal, mean, deviation, generator.seed,
                       generator.take(static_cast<std::uint64_t>(x.numel())));
  return x;
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, DType dtype, Generator& generator) {
  if (low >= high) throw ConfigError(text("randint: the range from ", low, " to ", high, " is empty"));
  const Tensor x = empty(shape, DType::int64);
  const Int n = x.numel();
  const std::uint64_t first = generator.take(static_cast<std::uint64_t>(n));
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const auto fill_bits = kernels::table().random_bits;
  auto* words = reinterpret_cast<std::uint64_t*>(kernels::bytes(x));
  parallel_for(n, grain / 2, [&](Int begin, Int end) {
    fill_bits(words + begin, end - begin, generator.seed, first + static_cast<std::uint64_t>(begin));
    for (Int i = begin; i < end; ++i) words[i] = static_cast<std::uint64_t>(low) + bounded(words[i], range);
  });
  return kernels::cast(x, dtype);
}

Tensor randperm(std::int64_t n, Generator& generator) {
  if (n < 0) throw ConfigError(text("randperm: length ", n, " is negative"));
  const Tensor x = empty({n}, DType::int64);
  Int* v = reinterpret_cast<Int*>(kernels::bytes(x));
  for (Int i = 0; i < n; ++i) v[i] = i;
  // Fisher-Yates; a batch of random bits at a time.
  constexpr Int batch = 1024;
  std::uint64_t words[batch];
  const std::uint64_t first = generator.take(static_cast<std::uint64_t>(n));
  const auto fill_bits = kernels::table().random_bits;
  for (Int i = n - 1, used = 0; i > 0; --i, ++used) {
    if (used % batch == 0)
      fill_bits(words, i < batch ? i : batch, generator.seed, first + static_cast<std::uint64_t>(used));
    const Int j = static_cast<Int>(bounded(words[used % batch], static_cast<std::uint64_t>(i) + 1));
    const Int swapped = v[i];
    v[i] = v[j];
    v[j] = swapped;
  }
  return x;
}

Tensor bernoulli(const Shape& shape, double probability, DType dtype, Generator& generator) {
  if (!(probability >= 0 && probability <= 1))
    throw ConfigError(text("bernoulli: probability ", probability, " is outside [0, 1]"));
  Tensor x = empty(shape, dtype);
  kernels::random_fill(x, kernels::Distribution::bernoulli, probability, 0, generator.seed,
                       generator.take(static_cast<std::uint64_t>(x.numel())));
  return x;
}

}  // namespace weft
