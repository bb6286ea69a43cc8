#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/data/code_sets.h>
#include <weft/data/nearest.h>
#include <weft/layers/skip_gram.h>
#include <weft/layers/testing.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using weft::tests::error_of;

namespace {

using Ints = std::vector<std::int64_t>;
using Sets = std::vector<Ints>;

Ints list(const Tensor& x) { return to_vector<std::int64_t>(x); }
std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
/// n draws of probability p stay within 4.5 deviations of their mean.
bool likely(int n, double p, int count) { return std::abs(count - n * p) < 4.5 * std::sqrt(n * p * (1 - p)) + 1e-9; }

}  // namespace

TEST_CASE("CodeSets: one after the other, each code once a set") {
  const CodeSets sets = CodeSets::of({{3, 1, 3}, {}, {2}, {1, 0}});
  CHECK(list(sets.codes) == Ints{1, 3, 2, 0, 1});
  CHECK(list(sets.offsets) == Ints{0, 2, 2, 3});
  CHECK(sets.vocabulary == 4);
  CHECK(sets.count() == 4);
  CHECK(sets.frequencies() == Ints{1, 2, 1, 1});
  CHECK(CodeSets::of({{1}}, 9).vocabulary == 9);
  // As embedding_bag takes them: the mean of each patient's codes.
  const Tensor table = tensor({{1, 0}, {3, 5}, {7, 8}, {-1, 1}});
  const Tensor bags = embedding_bag(table, sets.codes, {.offsets = sets.offsets});
  CHECK(to_vector<double>(bags) == std::vector<double>{1, 3, 0, 0, 7, 8, 2, 2.5});
  CHECK(error_of([] {
          CodeSets::of({{1}, {0, -2}});
        }) == "ConfigError: code_sets: set 1 has code -2 of a vocabulary of 2");
  CHECK(error_of([] {
          CodeSets::of({{1}, {0, 5}}, 5);
        }) == "ConfigError: code_sets: set 1 has code 5 of a vocabulary of 5");
}

TEST_CASE("SkipGramSampler: each pair of a set is equally likely, and the noise is what it says") {
  const Sets given{{0, 1, 2}, {1}, {}, {1, 3}, {5, 1, 2, 0}};  // 6 + 2 + 12 pairs
  const CodeSets sets = CodeSets::of(given, 7);
  const SkipGramSampler sampler(sets, {.negatives = 3, .power = 0.5});
  CHECK(sampler.pairs() == 20);
  const double frequency[] = {2, 4, 2, 1, 0, 1, 0};
  double total = 0;
  for (const double f : frequency) total += std::sqrt(f);
  for (std::size_t c = 0; c < 7; ++c) CHECK(sampler.noise()[c] == doctest::Approx(std::sqrt(frequency[c]) / total));

  Generator g{1};
  constexpr int draws = 40000;
  const SkipGramBatch b = sampler.sample(draws, g);
  const Ints center = list(b.center), context = list(b.context), negatives = list(b.negatives);
  std::map<std::pair<std::int64_t, std::int64_t>, int> expected, found;
  for (const Ints& set : given)
    for (const auto a : set)
      for (const auto c : set)
        if (a != c) ++expected[{a, c}];
  std::map<std::int64_t, int> rows, noise[7];
  for (std::size_t i = 0; i < draws; ++i) {
    ++found[{center[i], context[i]}];
    ++rows[context[i]];
    for (std::size_t k = 0; k < 3; ++k) ++noise[context[i]][negatives[3 * i + k]];
  }
  CHECK(found.size() == expected.size());
  for (const auto& [pair, n] : expected) CHECK(likely(draws, n / 20.0, found[pair]));
  for (std::int64_t c = 0; c < 7; ++c)
    for (std::int64_t other = 0; other < 7; ++other) {
      const double left = 1 - sampler.noise()[at(c)];
      const double p = other == c ? 0 : sampler.noise()[at(other)] / left;
      CHECK(likely(3 * rows[c], p, noise[c][other]));
    }
}

TEST_CASE("SkipGramSampler: codes that everyone has are thinned out") {
  // Code 0 is in all 1000 sets, the other 20 each in 50.
  Sets given;
  for (std::int64_t i = 0; i < 1000; ++i) given.push_back({0, 1 + i % 20, 1 + (i / 20) % 20});
  const CodeSets sets = CodeSets::of(given);
  // Pairs weigh what is left of both codes, sqrt(t N / f) where that is below 1.
  const Ints frequency = sets.frequencies();
  const auto total = static_cast<double>(sets.codes.numel());
  for (const double t : {0.0, 0.001, 0.01, 0.1}) {
    CAPTURE(t);
    double with = 0, all = 0;
    const auto left = [&](std::int64_t code) {
      return t > 0 ? std::min(1.0, std::sqrt(t * total / static_cast<double>(frequency[at(code)]))) : 1;
    };
    for (const Ints& set : given)
      for (const std::int64_t a : std::set(set.begin(), set.end()))
        for (const std::int64_t b : std::set(set.begin(), set.end()))
          if (a != b) all += left(a) * left(b), with += a == 0 ? left(a) * left(b) : 0;
    Generator g{2};
    const SkipGramBatch b = SkipGramSampler(sets, {.subsample = t}).sample(20000, g);
    CHECK(likely(20000, with / all, static_cast<int>(sum(to(eq(b.center, 0), DType::int64)).item())));
  }
}

TEST_CASE("SkipGramSampler: the same from the same generator, for any number of threads") {
  Sets given;
  Generator g{3};
  for (int i = 0; i < 300; ++i) given.push_back({g.below(50), g.below(50), g.below(50)});
  const SkipGramSampler sampler(CodeSets::of(given, 50), {.subsample = 0.01});
  const auto drawn = [&](int threads, std::uint64_t offset) {
    set_num_threads(threads);
    Generator own{4, offset};
    const SkipGramBatch b = sampler.sample(5000, own);
    set_num_threads(0);
    Ints all = list(b.center);
    for (const Tensor& x : {b.context, b.negatives})
      for (const auto v : list(x)) all.push_back(v);
    return all;
  };
  CHECK(drawn(1, 0) == drawn(3, 0));
  CHECK(drawn(1, 0) != drawn(1, 5000));
}

TEST_CASE("SkipGram: the loss by hand, its gradient, and a whole module") {
  SkipGram net({.num_embeddings = 5, .embedding_dim = 3, .dtype = DType::float64});
  Generator g{5};
  net.in.weight = randn({5, 3}, 0, 1, DType::float64, g).set_requires_grad();
  net.out.weight = randn({5, 3}, 0, 1, DType::float64, g).set_requires_grad();
  const Ints center{0, 4}, context{1, 2}, negatives{2, 3, 3, 0, 1, 1};
  const auto v = to_vector<double>(net.in.weight), u = to_vector<double>(net.out.weight);
  const auto term = [&](std::int64_t c, std::int64_t o, double sign) {
    double product = 0;
    for (std::size_t d = 0; d < 3; ++d) product += v[3 * at(c) + d] * u[3 * at(o) + d];
    return std::log1p(std::exp(-sign * product));
  };
  double expected = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    expected += term(center[i], context[i], 1) / 2;
    for (std::size_t k = 0; k < 3; ++k) expected += term(center[i], negatives[3 * i + k], -1) / 2;
  }
  const Tensor rows = from(negatives, {2, 3});
  CHECK(net.loss(from(center), from(context), rows).item() == doctest::Approx(expected));
  const testing::Report grad = testing::gradcheck(
      [&](const std::vector<Tensor>& in) {
        SkipGram other = net;
        other.in.weight = in[0], other.out.weight = in[1];
        return other.loss(from(center), from(context), rows);
      },
      {detach(net.in.weight), detach(net.out.weight)});
  CHECK_MESSAGE(grad, grad.message);
  const testing::Report whole = testing::check_module(
      [] {
        SkipGram fresh({.num_embeddings = 5, .embedding_dim = 3});
        const NoGrad off;
        fresh.out.weight = rand({5, 3}).set_requires_grad();  // zeros give the other table no gradient
        return fresh;
      },
      [&](const SkipGram& m) { return m.loss(from(center), from(context), rows); });
  CHECK_MESSAGE(whole, whole.message);
}

TEST_CASE("skip-gram finds planted groups of codes from sets alone") {
  // 6 groups of 8 codes; each simulated patient has two groups and draws most codes from them, some from anywhere.
  constexpr std::int64_t groups = 6, size = 8, codes = groups * size;
  Generator g{6};
  Sets patients;
  for (int p = 0; p < 600; ++p) {
    const std::int64_t ill[] = {g.below(groups), g.below(groups)};
    Ints set;
    for (int k = 0; k < 6; ++k)
      set.push_back(g.uniform() < 0.85 ? ill[g.below(2)] * size + g.below(size) : g.below(codes));
    patients.push_back(set);
  }
  const SkipGramSampler sampler(CodeSets::of(patients, codes));
  manual_seed(7);
  SkipGram net({.num_embeddings = codes, .embedding_dim = 16});
  optim::Adam optimizer(parameters(net), {.lr = 0.01});
  const auto same_group = [&] {
    const Ints near = list(nearest_others(net.in.weight, 5, Closeness::cosine).index);
    double right = 0;
    for (std::size_t i = 0; i < near.size(); ++i) right += static_cast<std::int64_t>(i) / 5 / size == near[i] / size;
    return right / static_cast<double>(near.size());
  };
  CHECK(same_group() < 0.35);  // by chance 7 of 47
  for (int step = 0; step < 200; ++step) {
    const SkipGramBatch b = sampler.sample(256, g);
    net.loss(b.center, b.context, b.negatives).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  CHECK(same_group() > 0.9);
}

TEST_CASE("skip-gram: errors") {
  const CodeSets sets = CodeSets::of({{0, 1}, {2}});
  Generator g;
  CHECK(error_of([&] { SkipGramSampler(sets, {.negatives = 0}); }) ==
        "ConfigError: skip_gram_sampler: negatives is 0\n  help: choose 1 or more");
  CHECK(error_of([&] { SkipGramSampler(sets, {.power = -1}); }) ==
        "ConfigError: skip_gram_sampler: power is -1\n  help: choose 0 or more");
  CHECK(error_of([&] { SkipGramSampler(sets, {.subsample = NAN}); }) ==
        "ConfigError: skip_gram_sampler: subsample is nan\n  help: choose 0 or more");
  CHECK(error_of([] {
          SkipGramSampler(CodeSets::of({{0}, {2, 2}, {}}));
        }) == "ConfigError: skip_gram_sampler: none of 3 sets has two codes");
  CHECK(error_of([] { SkipGramSampler(CodeSets::of({})); }) ==
        "ConfigError: skip_gram_sampler: none of 0 sets has two codes");
  CodeSets broken = sets;
  broken.offsets = from(Ints{0, 4});
  CHECK(error_of([&] { SkipGramSampler{broken}; }) ==
        "ConfigError: skip_gram_sampler: the offsets do not ascend from 0 to 3");
  broken = sets;
  broken.vocabulary = 2;
  CHECK(error_of([&] { SkipGramSampler{broken}; }) ==
        "ConfigError: skip_gram_sampler: set 1 has code 2 of a vocabulary of 2");
  CHECK(error_of([&] { SkipGramSampler(sets).sample(0, g); }) ==
        "ConfigError: skip_gram_sampler: 0 pairs\n  help: ask for 1 or more");
  CHECK(error_of([] { SkipGram({.num_embeddings = 0, .embedding_dim = 2}); }) ==
        "ConfigError: skip_gram: num_embeddings is 0\n  help: choose 1 or more");
  CHECK(error_of([] { SkipGram({.num_embeddings = 2, .embedding_dim = 0}); }) ==
        "ConfigError: skip_gram: embedding_dim is 0\n  help: choose 1 or more");
  const SkipGram net({.num_embeddings = 3, .embedding_dim = 2});
  const Tensor two = from(Ints{0, 1});
  CHECK(error_of([&] { net.loss(two, two, two); }) ==
        "ShapeError: skip_gram: center [2], context [2] and negatives [2] are not (B,), (B,) and (B, K) with B of 1 or "
        "more");
  CHECK(error_of([&] { net.loss(two, two, from(Ints{0, 3}, {2, 1})); }).starts_with("ConfigError: "));
}
