#include <weft/tests/unit/kernels_testing.h>

#include <algorithm>
#include <array>

#include <weft/tensor/random.h>

using namespace kernels_testing;

TEST_CASE("random: Philox4x32-10 gives its published numbers") {
  using Words = std::array<std::uint32_t, 4>;
  constexpr std::uint32_t all = 0xffffffffU;
  CHECK(detail::philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
  CHECK(detail::philox4x32({all, all, all, all}, {all, all}) ==
        Words{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU});
  CHECK(detail::philox4x32({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, {0xa4093822U, 0x299f31d0U}) ==
        Words{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U});
}

TEST_CASE("random: number i depends on the seed and i alone, at every level and on any threads") {
  std::vector<std::vector<double>> uniforms, bernoullis, wides, normals;
  each_level([&] {
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      Generator g{42, 0};
      uniforms.push_back(values(rand({100'003}, -1.5, 2.25, DType::float32, g)));
      CHECK(g.offset == 100'003);
      Generator h{42, 0};
      bernoullis.push_back(values(bernoulli({100'003}, 0.3, DType::float32, h)));
      Generator w{42, 0};
      wides.push_back(values(rand({50'001}, 0, 1, DType::float64, w)));
      Generator n{42, 0};
      normals.push_back(values(randn({100'003}, 0, 1, DType::float32, n)));
    }
    set_num_threads(0);
    // Any part can be made again.
    for (const std::uint64_t start : {std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{255}, std::uint64_t{10'000}}) {
      Generator part{42, start};
      const auto v = values(rand({500}, -1.5, 2.25, DType::float32, part));
      CHECK(std::equal(v.begin(), v.end(), uniforms[0].begin() + static_cast<Int>(start)));
      Generator again{42, start};
      const auto z = values(randn({500}, 0, 1, DType::float32, again));
      CHECK(std::equal(z.begin(), z.end(), normals[0].begin() + static_cast<Int>(start)));
    }
  });
  for (const auto& u : uniforms) CHECK(u == uniforms[0]);
  for (const auto& b : bernoullis) CHECK(b == bernoullis[0]);
  for (const auto& w : wides) CHECK(w == wides[0]);
  for (const auto& n : normals) CHECK(n == normals[0]);
  // The words are Philox's: the first block of seed 0.
  Generator zero{0, 0};
  const auto first = values(rand({4}, 0, 1, DType::float32, zero));
  const std::uint32_t words[] = {0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U};
  for (std::size_t i = 0; i < 4; ++i) CHECK(first[i] == (words[i] >> 8) * 0x1p-24);
  // Single numbers and whole tensors agree.
  Generator one{7, 5}, many{7, 5};
  const auto bulk = values(rand({100}, 0, 1, DType::float64, many));
  for (const double v : bulk) REQUIRE(one.uniform() == v);
  Generator single{7, 3}, lot{7, 3};
  for (const double v : values(randn({101}, 0, 1, DType::float64, lot)))
    REQUIRE(std::fabs(single.normal() - v) < 1e-12);
}

TEST_CASE("random: distributions have their moments and stay in their ranges") {
  each_level([] {
    const Int n = 400'000;
    const auto moments = [](const std::vector<double>& v) {
      double mean = 0, square = 0, third = 0, fourth = 0;
      for (const double x : v) mean += x / static_cast<double>(v.size());
      for (const double x : v) {
        const double d = x - mean;
        square += d * d / static_cast<double>(v.size());
        third += d * d * d / static_cast<double>(v.size());
        fourth += d * d * d * d / static_cast<double>(v.size());
      }
      return std::array<double, 4>{mean, square, third, fourth};
    };
    for (const DType type : float_types()) {
      CAPTURE(name(type));
      Generator g{123, 0};
      const auto u = values(rand({n}, 2, 4, type, g));
      const auto mu = moments(u);
      CHECK(std::fabs(mu[0] - 3) < 0.01);
      CHECK(std::fabs(mu[1] - 1.0 / 3) < 0.01);
      CHECK(*std::min_element(u.begin(), u.end()) >= 2);
      if (type != DType::bfloat16) CHECK(*std::max_element(u.begin(), u.end()) < 4);
      const auto mz = moments(values(randn({n}, 1, 2, type, g)));
      CHECK(std::fabs(mz[0] - 1) < 0.02);
      CHECK(std::fabs(mz[1] - 4) < 0.05);
      CHECK(std::fabs(mz[2]) < 0.2);
      CHECK(std::fabs(mz[3] - 48) < 1.5);
    }
    Generator g{5, 0};
    const auto b = moments(values(bernoulli({n}, 0.25, DType::boolean, g)));
    CHECK(std::fabs(b[0] - 0.25) < 0.005);
    for (const double v : values(bernoulli({1000}, 1, DType::float32, g))) REQUIRE(v == 1);
    for (const double v : values(bernoulli({1000}, 0, DType::float32, g))) REQUIRE(v == 0);
    const auto whole = values(randint(-3, 5, {n}, DType::int32, g));
    std::array<Int, 8> count{};
    for (const double v : whole) ++count[static_cast<std::size_t>(v + 3)];
    for (const Int c : count) CHECK(std::fabs(static_cast<double>(c) - n / 8.0) < 1500);
    for (const Int length : {Int{0}, Int{1}, Int{2}, Int{5000}}) {
      auto p = to_vector<Int>(randperm(length, g));
      std::sort(p.begin(), p.end());
      for (Int i = 0; i < length; ++i) REQUIRE(p[static_cast<std::size_t>(i)] == i);
    }
    std::array<Int, 6> below{};
    for (int i = 0; i < 60'000; ++i) ++below[static_cast<std::size_t>(g.below(6))];
    for (const Int c : below) CHECK(std::fabs(static_cast<double>(c) - 10'000) < 500);
    // Views and empty tensors are filled too.
    const Tensor base = zeros({6, 4}), view = view_as(base, {4, 3}, {1, 8});
    kernels::random_fill(view, kernels::Distribution::uniform, 1, 2, 9, 0);
    Generator same{9, 0};
    CHECK(values(view) == values(rand({4, 3}, 1, 2, DType::float32, same)));
    CHECK(rand({0}).numel() == 0);
  });
  manual_seed(11);
  const auto a = values(rand({3}));
  manual_seed(11);
  CHECK(values(rand({3})) == a);
}

TEST_CASE("random: bad arguments are told") {
  CHECK(starts(message<ConfigError>([] { rand({2}, 1, 0); }), "rand: the range from 1 to 0"));
  CHECK(starts(message<DtypeError>([] { randn({2}, 0, 1, DType::int32); }), "randn: gives floating types, not int32"));
  CHECK(starts(message<ConfigError>([] { randn({2}, 0, -1); }), "randn: deviation -1"));
  CHECK(starts(message<ConfigError>([] { randint(3, 3, {2}); }), "randint: the range from 3 to 3"));
  CHECK(starts(message<ConfigError>([] { bernoulli({2}, 1.5); }), "bernoulli: probability 1.5"));
  CHECK(starts(message<ConfigError>([] { randperm(-1); }), "randperm: length -1"));
}
