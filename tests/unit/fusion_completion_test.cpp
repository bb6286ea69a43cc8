#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/data/loader.h>
#include <weft/fusion/completion.h>
#include <weft/fusion/confidence_gates.h>
#include <weft/fusion/degrade.h>
#include <weft/layers/testing.h>
#include <weft/optim/optimizer.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;
using fusion::Completion;
using fusion::Joint;
using testing::allclose;

namespace {

constexpr DType f64 = DType::float64;
constexpr Joint all_joints[] = {Joint::product, Joint::mixture, Joint::mixture_of_products};

void set(const Tensor& x, const std::vector<double>& values) {
  Tensor to = x;
  for (std::size_t i = 0; i < values.size(); ++i) to.mutable_data<double>()[i] = values[i];
}

DiagonalNormal normal(double mean, double variance) {
  return {full({1, 1}, mean, f64), full({1, 1}, std::log(variance), f64)};
}

/// x_1 = a z + noise, x_2 = b z + noise, z standard normal: everything about it has a closed form. The encoders are
/// those of exact inference: each expert is the likelihood of its own modality.
constexpr double a = 0.8, b = -1.3, v = 0.5, u = 0.25;  // v, u: variances of the noise
Completion exact(Joint joint = Joint::product) {
  const data::Modalities rows =
      data::Modalities::complete({"one", "two"}, {from(std::vector<double>{-1, 1}, {2, 1}), zeros({2, 1}, f64)});
  Completion net(rows, {.latent = 1, .hidden = {}, .joint = joint, .dtype = f64});
  const double slope[] = {a, b}, noise[] = {v, u};
  for (std::size_t m = 0; m < 2; ++m) {
    set(net.means[m].weight, {1 / slope[m]});
    set(net.means[m].bias, {0});
    set(net.log_variances[m].weight, {0});
    set(net.log_variances[m].bias, {std::log(noise[m] / (slope[m] * slope[m]))});
    set(net.log_noise[m], {std::log(noise[m])});
    const auto decoder = parameters(net.decoders[m]);
    set(decoder.at(0), {slope[m]});
    set(decoder.at(1), {0});
    set(net.spread[m], {slope[m] * slope[m] + noise[m]});
  }
  return net;
}

/// Rows with both, the first only, the second only, nothing; fillers are NaN.
data::Modalities pairs(std::int64_t times = 1) {
  const double nan = std::nan("");
  data::Modalities x{{"one", "two"},
                     {repeat(from(std::vector<double>{0.3, 1.5, nan, nan}, {4, 1}), {times, 1}),
                      repeat(from(std::vector<double>{-2, nan, 0.7, nan}, {4, 1}), {times, 1})},
                     repeat(mask({{1, 1}, {1, 0}, {0, 1}, {0, 0}}), {times, 1})};
  return x;
}

double log_density(double x, double variance) {
  return -0.5 * (x * x / variance + std::log(variance) + std::log(2 * M_PI));
}

}  // namespace

TEST_CASE("completion: the product of experts adds precisions") {
  const std::vector<DiagonalNormal> experts = {normal(1, 0.5), normal(-2, 0.25)};
  // By hand: precisions 2 and 4, with the prior's 1. Means (2 * 1 - 4 * 2) / 7, and so on.
  const auto check = [&](std::vector<std::vector<int>> counts, bool prior, double mean, double variance) {
    const DiagonalNormal q = fusion::product_of_experts(experts, mask(counts), prior);
    CHECK(q.mean.item() == doctest::Approx(mean));
    CHECK(std::exp(q.log_variance.item()) == doctest::Approx(variance));
  };
  check({{1, 1}}, true, -6. / 7, 1. / 7);
  check({{1, 1}}, false, -1, 1. / 6);
  check({{1, 0}}, true, 2. / 3, 1. / 3);
  check({{0, 1}}, false, -2, 0.25);
  check({{0, 0}}, true, 0, 1);
  check({{0, 0}}, false, 0, 1);
  // Who does not count may say anything.
  const double nan = std::nan("");
  const DiagonalNormal q =
      fusion::product_of_experts({normal(1, 0.5), {full({1, 1}, nan, f64), full({1, 1}, nan, f64)}}, mask({{1, 0}}));
  CHECK(q.mean.item() == doctest::Approx(2. / 3));
  CHECK(message([&] {
          fusion::product_of_experts(experts, mask({{1, 1, 1}}));
        }) == "product_of_experts: 2 experts for a mask [1, 3]");
  const auto report = testing::gradcheck(
      [](const std::vector<Tensor>& in) {
        const DiagonalNormal joint =
            fusion::product_of_experts({{in[0], in[1]}, {in[2], in[3]}}, mask({{1, 1}, {1, 0}, {0, 0}}));
        return std::vector<Tensor>{joint.mean, joint.log_variance};
      },
      {randn({3, 2}, 0, 1, f64), randn({3, 2}, 0, 1, f64), randn({3, 2}, 0, 1, f64), randn({3, 2}, 0, 1, f64)});
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("completion: with exact encoders the bound is log p of what is present, whatever is missing") {
  const Completion net = exact();
  constexpr std::int64_t times = 40000;
  Generator g{3};
  const Tensor value = reshape(net.bound(pairs(times), {}, g).value(), {times, 4});
  const double p = a * a + v, q = b * b + u, r = a * b, det = p * q - r * r, s = 0.3, t = -2;
  const double both = -0.5 * ((q * s * s - 2 * r * s * t + p * t * t) / det + std::log(det)) - std::log(2 * M_PI);
  const Tensor expected = from(std::vector<double>{both, log_density(1.5, p), log_density(0.7, q), 0});
  CHECK(allclose(mean(value, {0}), expected, {.atol = 0.03, .rtol = 0}));
  CHECK(sum(abs(select(value, 1, 3))).item() == 0);
}

TEST_CASE("completion: what is filled in has the conditional mean and variance") {
  Completion net = exact();
  eval(net);
  Generator g{4};
  const data::Modalities x = pairs();
  const fusion::Completed done = net.complete(x, 60000, {}, g);
  // p(z | x_1): precision 1 + a^2 / v; then x_2 = b z + noise.
  const double one = 1 / (1 + a * a / v), two = 1 / (1 + b * b / u);
  const std::vector<double> first = numbers(done.filled.features[0]), second = numbers(done.filled.features[1]);
  CHECK(first[0] == 0.3);
  CHECK(second[0] == -2);
  CHECK(second[1] == doctest::Approx(b * one * a / v * 1.5).epsilon(0.02));
  CHECK(first[2] == doctest::Approx(a * two * b / u * 0.7).epsilon(0.02));
  CHECK(std::abs(first[3]) < 0.02);
  const std::vector<double> v1 = numbers(done.variance[0]), v2 = numbers(done.variance[1]);
  CHECK(v1[0] == 0);
  CHECK(v1[1] == 0);
  CHECK(v2[1] == doctest::Approx(b * b * one + u).epsilon(0.02));
  CHECK(v1[2] == doctest::Approx(a * a * two + v).epsilon(0.02));
  CHECK(v1[3] == doctest::Approx(a * a + v).epsilon(0.02));
  // The truth stays; quality is the share of the variance that is explained.
  CHECK(same(done.filled.present, x.present));
  const std::vector<double> quality = numbers(done.filled.quality);
  CHECK(quality[0] == 1);
  CHECK(quality[1] == 1);
  CHECK(quality[3] == doctest::Approx(1 - (b * b * one + u) / (b * b + u)).epsilon(0.02));
  CHECK(quality[4] == doctest::Approx(1 - (a * a * two + v) / (a * a + v)).epsilon(0.02));
  CHECK(quality[6] == 0);
  CHECK(quality[7] == 0);
  CHECK(same(done.admitted().present, mask({{1, 1}, {1, 1}, {1, 1}, {0, 0}})));
  CHECK(same(done.admitted(0.3).present, mask({{1, 1}, {1, 1}, {0, 1}, {0, 0}})) == (quality[4] <= 0.3));
  // A quality that was known stays where the modality is.
  data::Modalities rated = x;
  rated.quality = full({4, 2}, 0.4, f64);
  const std::vector<double> kept = numbers(net.complete(rated, 100, {}, g).filled.quality);
  CHECK(kept[0] == 0.4);
  CHECK(kept[3] != 0.4);
}

TEST_CASE("completion: of a modality that nobody had, nothing is known") {
  Completion net(abc({{1, 1, 0}, {1, 0, 0}, {0, 1, 0}}), {.latent = 2, .dtype = f64});
  eval(net);
  const fusion::Completed done = net.complete(abc({{1, 1, 0}, {0, 1, 0}}), 8);
  CHECK(numbers(select(done.filled.quality, 1, 2)) == std::vector<double>{0, 0});
  CHECK(finite(done.filled.features[2]));
  CHECK(sum(select(done.admitted().present, 1, 2)).item() == 0);
}

TEST_CASE("completion: the mixture completes from one expert at a time, without the prior") {
  Completion net = exact(Joint::mixture);
  eval(net);
  Generator g{4};
  data::Modalities x = pairs(1).rows(std::vector<std::int64_t>{0, 1});
  x = net.complete(x, 40000, {}, g).filled;
  // Of the row with the first only: z is N(x_1 / a, v / a^2).
  CHECK(numbers(x.features[1])[1] == doctest::Approx(b * 1.5 / a).epsilon(0.02));
}

TEST_CASE("completion: which sets of modalities a step looks at") {
  const std::int64_t times = 7000;
  const Tensor present = repeat(mask({{1, 1, 1}, {1, 0, 1}, {0, 0, 0}}), {times, 1});
  for (const Joint joint : all_joints) {
    const Completion net(abc(gaps, 0), {.latent = 2, .joint = joint});
    Generator g{9};
    const std::vector<double> sets = numbers(net.drawn(present, g));
    std::vector<double> full_rows(8), gap_rows(8);
    for (std::size_t row = 0; row < 3 * times; ++row) {
      const auto at = [&](std::size_t m) { return sets[3 * row + m] != 0 ? std::size_t{1} << m : std::size_t{0}; };
      const std::size_t set = at(0) + at(1) + at(2);
      if (row % 3 == 0) full_rows[set] += 1. / times;
      if (row % 3 == 1) gap_rows[set] += 1. / times;
      if (row % 3 == 2) CHECK(set == 0);
    }
    const auto expect = [&](const std::vector<double>& share, std::vector<double> wanted) {
      for (std::size_t set = 0; set < 8; ++set) CHECK(std::abs(share[set] - wanted[set]) < 0.02);
    };
    if (joint == Joint::product) {
      expect(full_rows, {0, 0, 0, 0, 0, 0, 0, 1});
      expect(gap_rows, {0, 0, 0, 0, 0, 1, 0, 0});
    } else if (joint == Joint::mixture) {
      expect(full_rows, {0, 1. / 3, 1. / 3, 0, 1. / 3, 0, 0, 0});
      expect(gap_rows, {0, 0.5, 0, 0, 0.5, 0, 0, 0});
    } else {
      expect(full_rows, {0, 1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 7});
      expect(gap_rows, {0, 1. / 3, 0, 0, 1. / 3, 1. / 3, 0, 0});
    }
  }
}

TEST_CASE("completion: shapes, any pattern of presence, fillers, one modality, nobody, no row") {
  for (const Joint joint : all_joints) {
    manual_seed(1);
    Completion net(abc(gaps, 0), {.latent = 2, .hidden = {5, 4}, .joint = joint, .dtype = f64});
    eval(net);
    const auto run = [&](const data::Modalities& x) {
      Generator g{2};
      const Vae::Bound bound = net.bound(x, {}, g);
      CHECK(bound.log_likelihood.shape() == Shape{x.batch()});
      CHECK(bound.divergence.shape() == Shape{x.batch(), 2});
      const fusion::Completed done = net.complete(x, 4, {}, g);
      std::vector<Tensor> out = {bound.value(), done.filled.quality};
      for (std::size_t m = 0; m < 3; ++m) {
        CHECK(done.filled.features[m].shape() == x.features[m].shape());
        CHECK(done.variance[m].shape() == x.features[m].shape());
        out.insert(out.end(), {done.filled.features[m], done.variance[m]});
      }
      return out;
    };
    const std::vector<Tensor> zero = run(abc(gaps, 0)), nan = run(abc(gaps)), huge = run(abc(gaps, 1e300));
    for (std::size_t i = 0; i < zero.size(); ++i) {
      CHECK(finite(zero[i]));
      CHECK(same(zero[i], nan[i]));
      CHECK(same(zero[i], huge[i]));
    }
    CHECK(numbers(zero[0])[3] == 0);  // nothing is present
    for (const auto& present : std::vector<std::vector<std::vector<int>>>{
             {{1, 0, 1}, {1, 0, 0}}, {{0, 0, 0}, {0, 0, 0}}, {{1, 1, 1}}, {{0, 1, 0}, {1, 1, 1}}})
      for (const Tensor& x : run(abc(present))) CHECK(finite(x));
    run(abc(gaps).rows({}));
    const std::vector<std::string> alone = {"b"};
    Completion single(abc(gaps, 0).select(alone), {.latent = 2, .joint = joint, .dtype = f64});
    Generator g{2};
    CHECK(finite(single.bound(abc(gaps).select(alone), {}, g).value()));
    CHECK(finite(single.complete(abc(gaps).select(alone), 4, {}, g).filled.features[0]));
  }
}

TEST_CASE("completion: gradients, and a model like any other") {
  // Rows enough for every modality to be drawn.
  data::Modalities rows = abc({{1, 1, 1}, {1, 0, 1}, {0, 1, 0}, {0, 0, 0}, {1, 1, 0}, {1, 1, 1}, {0, 1, 1}}, 0);
  const Tensor c = one_hot(from(std::vector<std::int64_t>{0, 1, 0, 1, 1, 0, 1}), 2);
  for (const Joint joint : all_joints)
    for (const std::int64_t conditions : {0, 2}) {
      const auto make = [&] {
        return Completion(rows, {.latent = 2, .hidden = {4}, .joint = joint, .conditions = conditions, .dtype = f64});
      };
      const fusion::CompletionContext context{conditions ? c : Tensor(), {}};
      const auto report = testing::check_module(make, [&](const Completion& net) {
        Generator g{1};
        return net.bound(rows, context, g).loss(0.5);
      });
      CHECK_MESSAGE(report, report.message);
      manual_seed(2);
      const Completion net = make();
      const auto gradients = testing::gradcheck(
          [&](const std::vector<Tensor>& in) {
            Generator g{1};
            data::Modalities x = rows;
            x.features = in;
            const Vae::Bound bound = net.bound(x, context, g);
            return std::vector<Tensor>{bound.log_likelihood, bound.divergence};
          },
          rows.features);
      // ReLU has corners, but not within a step of these numbers.
      CHECK_MESSAGE(gradients, gradients.message);
    }
}

TEST_CASE("completion: single numbers that were not measured do not count") {
  Completion net(abc(gaps, 0), {.latent = 2, .hidden = {4}, .joint = Joint::product, .dtype = f64});
  eval(net);
  data::Modalities x = abc({{1, 1, 1}, {1, 1, 0}});
  fusion::CompletionContext context;
  for (const Tensor& f : x.features) context.observed.push_back(ones(f.shape(), DType::boolean));
  context.observed[0] = mask({{1, 0, 1}, {1, 1, 1}});
  const auto run = [&](double filler) {
    set(slice(x.features[0], 0, 0, 1), {0.5, filler, -0.2});
    Generator g{5};
    const fusion::Completed done = net.complete(x, 8, context, g);
    return std::vector<Tensor>{net.bound(x, context, g).value(), done.filled.features[0], done.variance[0],
                               done.filled.quality};
  };
  const std::vector<Tensor> one = run(3), other = run(std::nan(""));
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(finite(one[i]));
    CHECK(same(one[i], other[i]));
  }
  CHECK(numbers(one[1])[0] == 0.5);
  CHECK(numbers(one[1])[1] != 3);
  CHECK((numbers(one[2])[0] == 0 && numbers(one[2])[1] > 0));
  CHECK(numbers(one[3])[0] == 1);  // the modality is there
  context.observed.pop_back();
  CHECK(message([&] { net.bound(x, context); }) ==
        "completion: observed numbers of 2 modalities for 3, or of another shape");
}

TEST_CASE("completion: it learns what one modality says about another, better than the mean") {
  manual_seed(1);
  Generator g{1};
  const auto draw = [&](std::int64_t n) {
    const Tensor z = randn({n, 2}, 0, 1, DType::float32, g);
    return data::Modalities::complete(
        {"one", "two", "three"},
        {cat({z, z * 0.5 + randn({n, 2}, 0, 0.2, DType::float32, g)}, 1),
         tanh(z) + randn({n, 2}, 0, 0.2, DType::float32, g), z * -1.0 + randn({n, 2}, 0, 0.5, DType::float32, g)});
  };
  const data::Modalities train = draw(400), test = draw(400);
  data::Modalities gap = test;
  gap.present = expand(mask({{0, 1, 1}}), {400, 3});
  for (const Joint joint : all_joints) {
    Completion net(train, {.latent = 4, .hidden = {32}, .joint = joint});
    optim::Adam optimizer(parameters(net), {.lr = 5e-3});
    data::Loader loader(train, zeros({400}), {.batch_size = 50, .seed = 1});
    Generator drops{2};
    std::int64_t step = 0;
    for (int epoch = 0; epoch < 120; ++epoch)
      for (auto& [x, y] : loader) {
        net.bound(fusion::drop_modalities(x, 0.3, drops), x, {}, drops).loss(beta_warmup(step++, 100)).backward();
        optimizer.step();
        optimizer.zero_grad();
      }
    eval(net);
    const fusion::Completed done = net.complete(gap, 50, {}, drops);
    const double error = mean(square(done.filled.features[0] - test.features[0])).item();
    const double spread = mean(square(test.features[0])).item();
    CHECK(error < 0.25 * spread);
    // It knows about how far off it is; a mixture's variance is that of one expert, its mean that of all draws.
    const double said = mean(done.variance[0]).item();
    CAPTURE(error);
    CAPTURE(said);
    CHECK((said > error / 2 && said < error * 3));
    CHECK(mean(select(done.filled.quality, 1, 0)).item() > 0.5);
  }
}

TEST_CASE("completion: a condition chooses what is filled in") {
  manual_seed(1);
  // The class says which sign x has; the other modality says nothing.
  const Tensor y = randint(0, 2, {300}), c = to(one_hot(y, 2), DType::float32);
  const Tensor sign = unsqueeze(to(y, DType::float32) * 2.0 - 1.0, 1);
  const data::Modalities train =
      data::Modalities::complete({"x", "noise"}, {sign * full({1, 3}, 2) + randn({300, 3}) * 0.2, randn({300, 2})});
  Completion net(train, {.latent = 2, .hidden = {16}, .conditions = 2});
  optim::Adam optimizer(parameters(net), {.lr = 1e-2});
  Generator drops{2};
  for (int step = 0; step < 200; ++step) {
    net.bound(fusion::drop_modalities(train, 0.3, drops), train, {c, {}}, drops).loss(beta_warmup(step, 50)).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  eval(net);
  data::Modalities gap = train;
  gap.present = expand(mask({{0, 1}}), {300, 2});
  const Tensor filled = net.complete(gap, 20, {c, {}}, drops).filled.features[0];
  CHECK(mean(square(filled - sign * 2.0)).item() < 0.2);
  CHECK(message([&] { net.bound(gap); }) == "completion: conditions (none), must be [300, 2]");
  const Completion without(train, {.latent = 2});
  CHECK(message([&] { without.bound(gap, {c, {}}); }) == "completion: conditions [300, 2], must be none");
}

TEST_CASE("completion: weights of the modalities' likelihoods") {
  manual_seed(2);
  const Completion net(abc(gaps, 0), {.latent = 2, .hidden = {4}, .dtype = f64});
  const Tensor z = randn({5, 2}, 0, 1, f64);
  const auto likelihood = [&](std::vector<double> weights) {
    return net.log_likelihood(abc(gaps), z, {.modality_weights = std::move(weights)});
  };
  const Tensor a = likelihood({1, 0, 0}), b = likelihood({0, 1, 0}), c = likelihood({0, 0, 1});
  CHECK(allclose(likelihood({2, 0.5, 3}), a * 2.0 + b * 0.5 + c * 3.0));
  CHECK(allclose(likelihood({}), a + b + c));
  CHECK(numbers(a)[2] == 0);  // who does not have it
  CHECK(numbers(b)[2] != 0);
  CHECK(message([&] { likelihood({1, 2}); }) == "completion: 2 weights for 3 modalities");
  CHECK(message([&] { likelihood({1, 2, -1}); }) == "completion: the weight of \"c\" is -1\n  help: choose 0 or more");
}

TEST_CASE("completion: fixed numbers, what quality does to a gate, and wrong input") {
  const data::Modalities x = abc(gaps);
  const data::Modalities full_rows =
      fusion::filled_with(x, {from(std::vector<double>{1, 2, 3}), from(std::vector<double>{4, 5}), zeros({4}, f64)});
  CHECK(same(full_rows.present, mask({{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}})));
  CHECK(numbers(select(full_rows.features[0], 0, 2)) == std::vector<double>{1, 2, 3});
  CHECK(same(select(full_rows.features[0], 0, 0), select(x.features[0], 0, 0)));
  CHECK(message([&] { fusion::filled_with(x, {zeros({3})}); }) == "filled_with: values for 1 modalities, there are 3");
  CHECK(message([&] {
          fusion::filled_with(x, {zeros({3}), zeros({3}), zeros({4})});
        }) == "filled_with: \"b\" is [5, 2], its values are [3]\n  help: give one number for each of its columns");

  // Half the quality, a quarter of the odds with a power of 2.
  fusion::Options options = abc_options();
  options.quality_weight = 2;
  manual_seed(1);
  fusion::ConfidenceGates gate(options);
  data::Modalities rated = abc({{1, 1, 1}});
  const std::vector<double> before = numbers(gate(rated).weights);
  rated.quality = tensor({{0.5, 1, 1}}, f64);
  const std::vector<double> after = numbers(gate(rated).weights);
  CHECK(after[0] / after[1] == doctest::Approx(before[0] / before[1] / 4));
  CHECK(after[2] / after[1] == doctest::Approx(before[2] / before[1]));
  rated.quality = tensor({{2, 1, 1}}, f64);
  CHECK(message([&] { gate(rated); }) ==
        "gate: a quality of the data is not in [0, 1]\n  help: bring it to a scale from 0 to 1");
  gate.quality_weight = 0;
  CHECK(numbers(gate(rated).weights) == before);
  options.quality_weight = -1;
  CHECK(message([&] { fusion::ConfidenceGates{options}; }) == "gate: quality_weight is -1\n  help: choose 0 or more");

  const auto making = [&](const fusion::CompletionOptions& o) { return message([&] { Completion(abc(gaps, 0), o); }); };
  CHECK(making({.latent = 0}) == "completion: latent is 0\n  help: choose 1 or more");
  CHECK(making({.hidden = {3, 0}}) == "completion: hidden is 0\n  help: choose 1 or more");
  CHECK(making({.conditions = -1}) == "completion: conditions is -1\n  help: choose 0 or more");
  data::Modalities image = abc(gaps, 0);
  image.features[0] = zeros({5, 1, 3}, f64);
  CHECK(message([&] { Completion(image, {}); }) ==
        "completion: features are [5, 1, 3], not (rows, numbers)\n  help: flatten them");
  const Completion net(abc(gaps, 0), {.latent = 2, .dtype = f64});
  CHECK(message([&] { net.complete(abc(gaps), 1); }) == "completion: 1 draws\n  help: choose 2 or more");
  CHECK(message([&] {
          net.bound(abc({{1, 1, 1}}), abc({{1, 1, 0}}));
        }) == "completion: more is shown than there is\n  help: show a part of it, as drop_modalities() does");
  CHECK(message([&] {
          net.bound(abc(gaps).select(std::vector<std::string>{"a", "b"}));
        }) == "completion: 2 modalities, made for 3");
}
