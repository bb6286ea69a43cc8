#include <weft/tensor/kernels/math.h>

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; 2011).
///
/// Number i of stream `seed` is made from the block with key = seed and counter = (low and high half
/// of the block number, space, 0). Space 0 has four 32-bit words a block: numbers 4b ... 4b+3
/// (float32 and bernoulli). Space 1 has two 64-bit words: numbers 2b, 2b+1 (bits, float64).
///
/// This file is compiled without fused multiply-add, so that every level gives the same bits.
namespace weft::kernels {
namespace {

using Word = std::uint32_t;
constexpr Int lanes = 64;  // blocks made together
constexpr Int batch = 4 * lanes;

/// Words of blocks first ... first + lanes - 1: words[w][l] is word w of block first + l.
WEFT_INLINE void philox(Word (&c)[4][lanes], std::uint64_t seed, std::uint64_t first, Word space) {
  for (Int l = 0; l < lanes; ++l) {
    const std::uint64_t block = first + static_cast<std::uint64_t>(l);
    c[0][l] = static_cast<Word>(block);
    c[1][l] = static_cast<Word>(block >> 32);
    c[2][l] = space;
    c[3][l] = 0;
  }
  Word k0 = static_cast<Word>(seed), k1 = static_cast<Word>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    WEFT_SIMD
    for (Int l = 0; l < lanes; ++l) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0][l];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2][l];
      c[0][l] = static_cast<Word>(p1 >> 32) ^ c[1][l] ^ k0;
      c[2][l] = static_cast<Word>(p0 >> 32) ^ c[3][l] ^ k1;
      c[1][l] = static_cast<Word>(p1);
      c[3][l] = static_cast<Word>(p0);
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
}

/// Calls use(words, skip, count, at) batch by batch: words in stream order, of which `count` from
/// `skip` on belong to y[at ...]. `group` words make one number.
template <class Use>
WEFT_INLINE void stream(Int n, std::uint64_t seed, std::uint64_t offset, Word space, Int group, Use&& use) {
  const Int numbers_per_block = 4 / group;
  std::uint64_t block = offset / static_cast<std::uint64_t>(numbers_per_block);
  Int skip = static_cast<Int>(offset % static_cast<std::uint64_t>(numbers_per_block));
  Int at = 0;
  while (at < n) {
    Word c[4][lanes];
    Word words[batch];
    philox(c, seed, block, space);
    for (Int l = 0; l < lanes; ++l)
      for (Int w = 0; w < 4; ++w) words[4 * l + w] = c[w][l];
    const Int room = numbers_per_block * lanes - skip;
    const Int count = n - at < room ? n - at : room;
    use(words, skip, count, at);
    at += count;
    skip = 0;
    block += static_cast<std::uint64_t>(lanes);
  }
}
WEFT_INLINE std::uint64_t wide(const Word* words, Int i) {
  return static_cast<std::uint64_t>(words[2 * i]) | static_cast<std::uint64_t>(words[2 * i + 1]) << 32;
}

void random_bits(std::uint64_t* y, Int n, std::uint64_t seed, std::uint64_t offset) {
  stream(n, seed, offset, 1, 2, [&](const Word* words, Int skip, Int count, Int at) WEFT_INLINE_LAMBDA {
    for (Int i = 0; i < count; ++i) y[at + i] = wide(words, skip + i);
  });
}

// low + u * (high - low) may round up to `high`, which does not belong to the range.
void uniform_float(void* y, Int n, double low, double high, std::uint64_t seed, std::uint64_t offset) {
  float* out = static_cast<float*>(y);
  const float a = static_cast<float>(low), b = static_cast<float>(high), span = static_cast<float>(high - low);
  const float below = b > a ? __builtin_nextafterf(b, a) : b;
  stream(n, seed, offset, 0, 1, [&](const Word* words, Int skip, Int count, Int at) WEFT_INLINE_LAMBDA {
    WEFT_SIMD
    for (Int i = 0; i < count; ++i) {
      const float u = static_cast<float>(static_cast<std::int32_t>(words[skip + i] >> 8)) * 0x1p-24f;
      const float v = a + u * span;
      out[at + i] = v > below ? below : v;
    }
  });
}
void uniform_double(void* y, Int n, double low, double high, std::uint64_t seed, std::uint64_t offset) {
  double* out = static_cast<double*>(y);
  const double below = high > low ? __builtin_nextafter(high, low) : high;
  stream(n, seed, offset, 1, 2, [&](const Word* words, Int skip, Int count, Int at) WEFT_INLINE_LAMBDA {
    for (Int i = 0; i < count; ++i) {
      const double u = static_cast<double>(static_cast<Int>(wide(words, skip + i) >> 11)) * 0x1p-53;
      const double v = low + u * (high - low);
      out[at + i] = v > below ? below : v;
    }
  });
}

// Box-Muller: words 2p and 2p + 1 give numbers 2p (cosine) and 2p + 1 (sine).
void normal_float(void* y, Int n, double mean, double deviation, std::uint64_t seed, std::uint64_t offset) {
  float* out = static_cast<float*>(y);
  const float m = static_cast<float>(mean), d = static_cast<float>(deviation);
  stream(n, seed, offset, 0, 1, [&](const Word* words, Int skip, Int count, Int at) WEFT_INLINE_LAMBDA {
    float values[batch];
    float radius[batch / 2], angle[batch / 2];
    for (Int p = 0; p < batch / 2; ++p) {
      // In (0, 1]: the logarithm needs no zero, and small values keep their precision (reach 6.7 deviations).
      radius[p] = static_cast<float>(static_cast<double>(words[2 * p]) * 0x1p-32 + 0x1p-33);
      angle[p] = static_cast<float>(static_cast<std::int32_t>(words[2 * p + 1] >> 8)) * 3.74507028e-07f;  // 2 pi / 2^24
    }
    WEFT_SIMD
    for (Int p = 0; p < batch / 2; ++p) radius[p] = math::sqrt(-2.0f * math::log(radius[p]));
    WEFT_SIMD
    for (Int p = 0; p < batch / 2; ++p) {
      values[2 * p] = radius[p] * math::sin_shifted(angle[p], 1);
      values[2 * p + 1] = radius[p] * math::sin_shifted(angle[p], 0);
    }
    WEFT_SIMD
    for (Int i = 0; i < count; ++i) out[at + i] = m + d * values[skip + i];
  });
}
void normal_double(void* y, Int n, double mean, double deviation, std::uint64_t seed, std::uint64_t offset) {
  double* out = static_cast<double*>(y);
  stream(n, seed, offset, 1, 2, [&](const Word* words, Int skip, Int count, Int at) WEFT_INLINE_LAMBDA {
    for (Int i = 0; i < count; ++i) {
      const Int pair = (skip + i) & ~Int{1};
      const double u = (static_cast<double>(static_cast<Int>(wide(words, pair) >> 11)) + 0.5) * 0x1p-53;
      const double angle =
          static_cast<double>(static_cast<Int>(wide(words, pair + 1) >> 11)) * (0x1p-53 * 6.28318530717958647693);
      const double r = math::sqrt(-2.0 * __builtin_log(u));
      out[at + i] = mean + deviation * (r * (((skip + i) & 1) ? __builtin_sin(angle) : __builtin_cos(angle)));
    }
  });
}

void bernoulli(float* y, Int n, double probability, std::uint64_t seed, std::uint64_t offset) {
  // An exact comparison of whole numbers: word < probability * 2^32.
  const double scaled = probability * 4294967296.0;
  const Int limit = scaled >= 4294967296.0 ? Int{4294967296}
                    : scaled > 0           ? static_cast<Int>(__builtin_ceil(scaled))
                                           : 0;
  const bool certain = limit == Int{4294967296};
  const Word below = static_cast<Word>(limit);
  stream(n, seed, offset, 0, 1, [&](const Word* words, Int skip, Int count, Int at) WEFT_INLINE_LAMBDA {
    WEFT_SIMD
    for (Int i = 0; i < count; ++i) y[at + i] = words[skip + i] < below || certain ? 1.0f : 0.0f;
  });
}

}  // namespace

void WEFT_LEVELED(install_random)(KernelTable& t) {
  t.random_bits = random_bits;
  t.random_uniform[0] = uniform_float;
  t.random_uniform[1] = uniform_double;
  t.random_normal[0] = normal_float;
  t.random_normal[1] = normal_double;
  t.random_bernoulli = bernoulli;
}

}  // namespace weft::kernels
