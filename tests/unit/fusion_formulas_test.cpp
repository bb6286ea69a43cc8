#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/fusion/decisions.h>
#include <weft/fusion/evidential.h>
#include <weft/fusion/gated.h>
#include <weft/fusion/outer.h>
#include <weft/fusion/relevance.h>
#include <weft/fusion/tokens.h>
#include <weft/fusion/trusted.h>
#include <weft/tests/unit/fusion_cases.h>

/// What each method computes, against the same by hand.

using namespace weft;
using namespace weft::test;
using doctest::Approx;
using fusion::Fused;
using fusion::Opinion;

namespace {

/// Two modalities of one feature each.
fusion::Options pair_options() {
  return {.names = {"a", "b"}, .widths = {1, 1}, .width = 2, .classes = 2, .dtype = DType::float64};
}

data::Modalities pair_of(const Tensor& a, const Tensor& b) { return data::Modalities::complete({"a", "b"}, {a, b}); }

void set(const Tensor& parameter, const std::vector<double>& values) {
  REQUIRE(parameter.numel() == static_cast<std::int64_t>(values.size()));
  Tensor to = parameter;
  const NoGrad off;
  std::copy(values.begin(), values.end(), to.mutable_data<double>());
}

/// A head whose logits are these whatever comes in.
void says(Linear& head, const std::vector<double>& logits) {
  const NoGrad off;
  set(head.weight, std::vector<double>(static_cast<std::size_t>(head.weight.numel()), 0));
  set(head.bias, logits);
}

/// A column: one feature of several rows.
Tensor column(const std::vector<double>& values) {
  return from(values, Shape{static_cast<std::int64_t>(values.size()), 1});
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

/// Probabilities of the first row.
std::vector<double> chances(const Tensor& log_probabilities) {
  std::vector<double> p = numbers(log_probabilities);
  p.resize(static_cast<std::size_t>(log_probabilities.size(1)));
  for (double& each : p) each = std::exp(each);
  return p;
}

const Tensor one_row = column({0.5});

}  // namespace

TEST_CASE("gated: for two modalities it is g = sigmoid(W [a; b] + c), g * a + (1 - g) * b") {
  manual_seed(3);
  const fusion::AlignmentGate gate(2, 2, false, DType::float64);
  const std::vector<double> a = {0.3, -1.2}, b = {2.0, 0.7};
  const Tensor x = from(std::vector<double>{0.3, -1.2, 2.0, 0.7}, Shape{1, 2, 2});  // (1, 2, 2)
  const auto result = gate(x, mask({{1, 1}}));
  const std::vector<double> w = numbers(gate.scores.weight), c = numbers(gate.scores.bias);
  for (std::size_t d = 0; d < 2; ++d) {
    double score = c[d] - c[2 + d];
    for (std::size_t j = 0; j < 4; ++j) score += (w[4 * d + j] - w[4 * (2 + d) + j]) * (j < 2 ? a[j] : b[j - 2]);
    const double g = sigmoid_of(score);
    CHECK(numbers(result.gates)[d] == Approx(g));
    CHECK(numbers(result.aligned)[d] == Approx(g * a[d] + (1 - g) * b[d]));
  }
  // Alone, b is taken as it is, whatever stands in the place of a.
  const Tensor lost = from(std::vector<double>{std::nan(""), 5.0, 2.0, 0.7}, Shape{1, 2, 2});
  CHECK(numbers(gate(lost, mask({{0, 1}})).aligned) == b);
}

TEST_CASE("gated: the norm comes before the gate only, and the residual goes around it") {
  manual_seed(3);
  fusion::Options options = pair_options();
  options.layers = 1;
  fusion::GatedAlignment gated(options);
  CHECK(gated.gates.size() == 1);
  CHECK(gated.between.empty());
  const data::Modalities in = pair_of(one_row, column({-2.0}));
  const Fused fused = gated(in);
  const Tensor x = stack({gated.projections[0](in.features[0]), gated.projections[1](in.features[1])}, 1);
  const Tensor u = layer_norm(x, {2});
  const Tensor g = softmax(reshape(gated.gates[0].scores(reshape(u, {1, 4})), {1, 2, 2}), 1);
  CHECK(testing::allclose(fused.features, sum(g * x, 1) + mean(x, 1)));
  CHECK(testing::allclose(fused.weights, mean(g, 2)));
  options.layers = 3;
  CHECK(fusion::GatedAlignment(options).between.size() == 2);
}

TEST_CASE("vote: the classes' scores are the worth of who votes for them") {
  fusion::Options options = pair_options();
  options.names = {"a", "b", "c"};
  options.widths = {1, 1, 1};
  options.classes = 3;
  fusion::Vote vote(options);
  says(vote.heads[0], {0, 5, 1});
  says(vote.heads[1], {3, 2, 1});
  says(vote.heads[2], {0, 0.1, 0});
  set(vote.theta, {0.2, 2.0, -0.3});
  const auto worth = [](double theta) { return std::log1p(std::exp(theta)); };
  const double a = worth(0.2), b = worth(2.0), c = worth(-0.3);
  data::Modalities in = data::Modalities::complete(options.names, {one_row, one_row, one_row});
  const Fused fused = vote(in);
  const double total = std::exp(b) + std::exp(a + c) + 1;
  CHECK(chances(fused.decision)[0] == Approx(std::exp(b) / total));
  CHECK(chances(fused.decision)[1] == Approx(std::exp(a + c) / total));
  CHECK(numbers(fused.weights)[1] == Approx(b / (a + b + c)));
  in.present = mask({{0, 0, 0}});
  CHECK(chances(vote(in).decision)[2] == Approx(1. / 3));
  // A judge who is right with chance p among C classes is worth log(p (C - 1) / (1 - p)): alone it gives p back.
  in.present = mask({{1, 0, 0}});
  set(vote.theta, {std::log(std::expm1(std::log(0.8 * 2 / 0.2))), 0, 0});
  CHECK(chances(vote(in).decision)[1] == Approx(0.8));
}

TEST_CASE("product: Bayes' rule for modalities that are independent given the class") {
  fusion::Product product(pair_options());
  // p(class 1) = 0.3 beforehand; a says 0.6, b says 0.2.
  const auto logits = [](double p) { return std::vector<double>{std::log(1 - p), std::log(p)}; };
  set(product.prior, logits(0.3));
  says(product.heads[0], logits(0.6));
  says(product.heads[1], logits(0.2));
  data::Modalities in = pair_of(one_row, one_row);
  const double yes = 0.6 * 0.2 / 0.3, no = 0.4 * 0.8 / 0.7;
  CHECK(chances(product(in).decision)[1] == Approx(yes / (yes + no)));
  in.present = mask({{1, 0}});
  CHECK(chances(product(in).decision)[1] == Approx(0.6));
  in.present = mask({{0, 0}});
  CHECK(chances(product(in).decision)[1] == Approx(0.3));
  // An exponent below 1 counts its news less.
  in.present = mask({{1, 1}});
  const double half = std::log(std::expm1(0.5));
  set(product.theta, {half, half});
  const double weak_yes = 0.3 * std::sqrt(0.6 / 0.3 * 0.2 / 0.3), weak_no = 0.7 * std::sqrt(0.4 / 0.7 * 0.8 / 0.7);
  CHECK(chances(product(in).decision)[1] == Approx(weak_yes / (weak_yes + weak_no)));
  // The loss: that of the prior, and each modality's own.
  const Fused fused = product(in);
  CHECK(product.auxiliary_loss(fused, from(std::vector<std::int64_t>{1})).item() ==
        Approx(-std::log(0.3) - std::log(0.6) - std::log(0.2)));
}

TEST_CASE("query: weights are a softmax of the query's products with the keys") {
  manual_seed(2);
  fusion::LearnedQuery query(pair_options());
  const data::Modalities in = pair_of(one_row, column({-2.0}));
  const Tensor a = query.projections[0](in.features[0]), b = query.projections[1](in.features[1]);
  const double gap = (sum(query.key(a) * query.query) - sum(query.key(b) * query.query)).item() / std::sqrt(2.0);
  const Fused fused = query(in);
  const double w = sigmoid_of(gap);
  CHECK(numbers(fused.weights)[0] == Approx(w));
  CHECK(testing::allclose(fused.features, query.value(a) * w + query.value(b) * (1 - w)));
}

TEST_CASE("cross: of two, each takes in the other; alone, it stays as it is") {
  manual_seed(2);
  fusion::CrossAttention cross(pair_options());
  data::Modalities in = pair_of(one_row, column({-2.0}));
  const Tensor a = cross.projections[0](in.features[0]), b = cross.projections[1](in.features[1]);
  const Tensor both = (a + cross.out(cross.value(b)) + b + cross.out(cross.value(a))) / 2.0;
  CHECK(testing::allclose(cross(in).features, both));
  CHECK(numbers(cross(in).weights) == std::vector<double>{0.5, 0.5});
  in.present = mask({{0, 1}});
  CHECK(testing::allclose(cross(in).features, b));
}

TEST_CASE("transformer: the weights are what CLS looks at in the last layer, without itself") {
  manual_seed(2);
  fusion::Options options = abc_options();
  options.heads = 3;
  fusion::TokenTransformer transformer(options);
  const data::Modalities in = abc({{1, 1, 1}}, 0);
  std::vector<Tensor> tokens = {reshape(transformer.cls, {1, abc_width})};
  for (std::size_t m = 0; m < 3; ++m) tokens.push_back(transformer.projections[m](in.features[m]));
  Tensor x = stack(tokens, 1);
  x = transformer.layers[0](x);
  const Tensor y = transformer.layers[1].norm1(x);
  const std::vector<double> all = numbers(transformer.layers[1].self_attn(y, y, y).weights);  // (1, 4, 4)
  const Fused fused = transformer(in);
  for (std::size_t m = 0; m < 3; ++m)
    CHECK(numbers(fused.weights)[m] == Approx(all[1 + m] / (all[1] + all[2] + all[3])));
  const Tensor last = select(transformer.norm(transformer.layers[1](x)), 1, 0);
  CHECK(testing::allclose(fused.features, last));
}

TEST_CASE("tensor: every product of [x; 1], and of those present where one is missing") {
  fusion::Options options = pair_options();
  options.factor_width = 1;
  fusion::OuterProduct outer(options);
  set(outer.parts[0].weight, {2});
  set(outer.parts[0].bias, {1});
  set(outer.parts[1].weight, {-1});
  set(outer.parts[1].bias, {0});
  set(outer.mix.weight, {1, 10, 100, 1000, 0, 0, 0, 1});  // of a b, a, b, 1
  set(outer.mix.bias, {0, 0});
  data::Modalities in = pair_of(one_row, column({3.0}));
  const double a = 2 * 0.5 + 1, b = -3;
  CHECK(numbers(outer(in).features) == std::vector<double>{a * b + 10 * a + 100 * b + 1000, 1});
  in.present = mask({{1, 0}});
  CHECK(numbers(outer(in).features) == std::vector<double>{10 * a + 1000, 1});
  in.present = mask({{0, 0}});
  CHECK(numbers(outer(in).features) == std::vector<double>{1000, 1});
}

TEST_CASE("tensor: as many products as a limit allows") {
  const auto width = [](std::size_t count, std::int64_t wanted) {
    fusion::Options options;
    for (std::size_t m = 0; m < count; ++m) options.names.push_back(std::to_string(m)), options.widths.push_back(4);
    options.factor_width = wanted;
    return fusion::OuterProduct(options).parts[0].weight.size(0);
  };
  CHECK(width(1, 0) == 8);
  CHECK(width(3, 0) == 8);
  CHECK(width(4, 0) == 7);
  CHECK(width(6, 0) == 3);
  CHECK(width(12, 0) == 1);
  CHECK(message([&] { width(13, 0); }) ==
        "tensor: 13 modalities make 8192 products and more, 4096 are the limit\n"
        "  help: choose fewer modalities, or \"lowrank\"");
  CHECK(width(3, 20) == 20);
  CHECK(message([&] { width(4, 20); }) ==
        "tensor: 4 modalities with factor_width 20 make 194481 products, 65536 are the limit\n"
        "  help: choose a smaller factor_width, or \"lowrank\"");
}

TEST_CASE("lowrank: the same as the full tensor that its factors make") {
  manual_seed(5);
  fusion::Options options = abc_options();
  options.rank = 2;
  fusion::LowRank low(options);
  set(low.scale, {0.7, -1.3});
  set(low.bias, {1, 2, 3, 4, 5, 6});
  const data::Modalities in = abc({{1, 1, 1}, {1, 1, 1}}, 0);
  const std::int64_t d = abc_width;
  // W (D, 4, 3, 5) = sum_r s_r F_1,r outer F_2,r outer F_3,r, where F_m,r is (D, width_m + 1) with the bias last.
  Tensor full;
  for (std::int64_t r = 0; r < 2; ++r) {
    std::vector<Tensor> factor;
    for (const Linear& each : low.factors)
      factor.push_back(
          cat({slice(each.weight, 0, r * d, (r + 1) * d), unsqueeze(slice(each.bias, 0, r * d, (r + 1) * d), 1)}, 1));
    const Tensor part = einsum("da,db,dc->dabc", factor) * (r == 0 ? 0.7 : -1.3);
    full = full.defined() ? full + part : part;
  }
  std::vector<Tensor> z = {full};
  for (const Tensor& x : in.features) z.push_back(cat({x, ones({2, 1}, DType::float64)}, 1));
  CHECK(testing::allclose(low(in).features, einsum("dabc,na,nb,nc->nd", z) + low.bias));
  // A missing modality is a factor 1: b and c alone are the same product without a.
  data::Modalities gap = in;
  gap.present = mask({{0, 1, 1}, {0, 0, 0}});
  const Tensor two = low.factors[1](in.features[1]) * low.factors[2](in.features[2]);  // (2, R D)
  const Tensor expected = sum(reshape(two, {2, 2, d}) * unsqueeze(low.scale, 1), 1) + low.bias;
  const Tensor given = low(gap).features;
  CHECK(testing::allclose(select(given, 0, 0), select(expected, 0, 0)));
  CHECK(testing::allclose(select(given, 0, 1), low.bias));
}

TEST_CASE("relevance: w is proportional to a * confidence + (1 - a) * relevance, over what is present") {
  fusion::Options options = abc_options();  // relevance 0.9, 0.5, 0.2
  const fusion::Relevance by_default(options);
  data::Modalities in = abc({{1, 1, 1}, {1, 0, 1}, {0, 0, 0}});
  const double nan = std::nan("");
  in.quality = tensor({{1.0, 0.5, 0.0}, {0.25, nan, 1.0}, {7.0, nan, -1.0}}, DType::float64);
  const Fused fused = by_default(in);
  const std::vector<double> w = numbers(fused.weights);
  const double first[3] = {0.6 * 1 + 0.4 * 0.9, 0.6 * 0.5 + 0.4 * 0.5, 0.4 * 0.2};
  for (std::size_t m = 0; m < 3; ++m) CHECK(w[m] == Approx(first[m] / (first[0] + first[1] + first[2])));
  const double a = 0.6 * 0.25 + 0.4 * 0.9, c = 0.6 * 1 + 0.4 * 0.2;
  CHECK(w[3] == Approx(a / (a + c)));
  CHECK(w[4] == 0);
  CHECK(w[5] == Approx(c / (a + c)));
  CHECK(numbers(fused.confidence) == std::vector<double>{1, 0.5, 0, 0.25, 0, 1, 0, 0, 0});
  CHECK(fused.logits.empty());
  CHECK(!by_default.auxiliary_loss(fused, from(std::vector<std::int64_t>{0, 1, 2})).defined());

  options.confidence_share = 0;
  CHECK(numbers(fusion::Relevance(options)(in).weights)[0] == Approx(0.9 / 1.6));
  options.confidence_share = 1;
  CHECK(numbers(fusion::Relevance(options)(in).weights)[0] == Approx(1 / 1.5));
  in.quality = zeros({3, 3}, DType::float64);
  CHECK(numbers(fusion::Relevance(options)(in).weights)[5] == Approx(0.5));
  in.quality = full({3, 3}, 1.5, DType::float64);
  CHECK(message([&] { by_default(in); }) ==
        "relevance: a quality of the data is not in [0, 1]\n  help: bring it to a scale from 0 to 1");
  in.quality = full({3, 3}, nan, DType::float64);
  CHECK(message([&] { by_default(in); }).starts_with("relevance: a quality of the data is not in [0, 1]"));
}

TEST_CASE("dynamics: features through their gates, modalities by their confidence") {
  manual_seed(4);
  fusion::Dynamics dynamics(pair_options());
  data::Modalities in = pair_of(one_row, column({-2.0}));
  const auto path = [&](std::size_t m) {
    const Tensor x = in.features[m];
    return relu(dynamics.projections[m](sigmoid(dynamics.gates[m](x)) * x));
  };
  const double a = sigmoid(dynamics.confidences[0](path(0))).item(),
               b = sigmoid(dynamics.confidences[1](path(1))).item();
  Fused fused = dynamics(in);
  CHECK(testing::allclose(fused.features, dynamics.mix(cat({path(0) * a, path(1) * b}, 1))));
  CHECK(numbers(fused.weights)[0] == Approx(a / (a + b)));
  const double open = sigmoid(dynamics.gates[0](in.features[0])).item();
  CHECK(fused.auxiliary.item() == Approx(open + sigmoid(dynamics.gates[1](in.features[1])).item()));
  in.present = mask({{1, 0}});
  fused = dynamics(in);
  CHECK(testing::allclose(fused.features, dynamics.mix(cat({path(0) * a, zeros({1, 2}, DType::float64)}, 1))));
  dynamics.sparsity_weight = 0.5;
  CHECK(dynamics(in).auxiliary.item() == Approx(open / 2));
}

TEST_CASE("energy: weights are in proportion to the sum of e to the logits") {
  fusion::Energy energy(pair_options());
  says(energy.heads[0], {std::log(3.0), std::log(1.0)});
  says(energy.heads[1], {std::log(0.5), std::log(1.5)});
  const Fused fused = energy(pair_of(one_row, one_row));
  const double a = 4.0 / 6, b = 2.0 / 6;
  CHECK(numbers(fused.weights)[0] == Approx(a));
  const double first = a * std::log(3.0) + b * std::log(0.5), second = b * std::log(1.5);
  CHECK(chances(fused.decision)[0] == Approx(sigmoid_of(first - second)));
  energy.temperature = 2;
  CHECK(numbers(energy(pair_of(one_row, one_row)).weights)[0] == Approx(2 / (2 + std::sqrt(2.0))));
}

TEST_CASE("energy: who is more often right has to have the lower energy") {
  fusion::Options options = pair_options();
  options.names = {"a"};
  options.widths = {1};
  fusion::Energy energy(options);
  set(energy.heads[0].weight, {1, 0});
  set(energy.heads[0].bias, {0, 0});
  // Logits (x, 0): p(class 0) = sigmoid(x), -E = log(e^x + 1).
  const data::Modalities in = data::Modalities::complete({"a"}, {column({1, -1, 0.5})});
  const std::vector<double> x = {1, -1, 0.5};
  const std::vector<std::int64_t> y = {0, 0, 1};
  double own = 0, ranking = 0;
  const auto right = [&](std::size_t i) { return y[i] == 0 ? sigmoid_of(x[i]) : 1 - sigmoid_of(x[i]); };
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t j = (i + 2) % 3;
    const double apart = right(i) - right(j), known = std::log1p(std::exp(x[i])) - std::log1p(std::exp(x[j]));
    own -= std::log(right(i)) / 3;
    ranking += std::max(0.0, std::abs(apart) - (apart > 0 ? 1 : -1) * known) / 3;
  }
  CHECK(ranking > 0);
  CHECK(energy.auxiliary_loss(energy(in), from(y)).item() == Approx(own + 0.1 * ranking));
}

TEST_CASE("evidential: Dempster's rule for two opinions by hand") {
  // Evidence (4, 1, 0) and (1, 0, 2) on three classes: S = 8 and 6.
  const Opinion a = Opinion::of(tensor({{4.0, 1.0, 0.0}}, DType::float64));
  const Opinion b = Opinion::of(tensor({{1.0, 0.0, 2.0}}, DType::float64));
  CHECK(numbers(a.belief) == std::vector<double>{0.5, 0.125, 0});
  CHECK(a.uncertainty.item() == Approx(3. / 8));
  CHECK(b.uncertainty.item() == Approx(0.5));
  const double conflict = 0.5 * (2. / 6) + 0.125 * (1. / 6 + 2. / 6);
  const Opinion both = fusion::combine(a, b);
  CHECK(numbers(both.belief)[0] == Approx((0.5 / 6 + 0.5 * 0.5 + 3. / 8 / 6) / (1 - conflict)));
  CHECK(numbers(both.belief)[1] == Approx((0.125 * 0.5) / (1 - conflict)));
  CHECK(numbers(both.belief)[2] == Approx((3. / 8 * 2 / 6) / (1 - conflict)));
  CHECK(both.uncertainty.item() == Approx(3. / 8 * 0.5 / (1 - conflict)));
  CHECK(sum(both.belief).item() + both.uncertainty.item() == Approx(1));
  CHECK(testing::allclose(a.alpha(), tensor({{5.0, 2.0, 1.0}}, DType::float64)));
  const Opinion open = Opinion::of(zeros({1, 3}, DType::float64));
  CHECK(testing::allclose(fusion::combine(a, open).belief, a.belief));
  CHECK(testing::allclose(fusion::combine(b, a).belief, both.belief));
}

TEST_CASE("evidential: the method combines what is present, and its loss is the paper's") {
  fusion::Evidential evidential(pair_options());
  const auto softplus_to = [](double evidence) { return std::log(std::expm1(evidence)); };
  says(evidential.heads[0], {softplus_to(3), softplus_to(1)});
  says(evidential.heads[1], {softplus_to(0.5), softplus_to(1.5)});
  data::Modalities in = pair_of(one_row, one_row);
  const Fused fused = evidential(in);
  // Opinions (1/2, 1/6; 1/3) and (1/8, 3/8; 1/2).
  const double k = 1 - (0.5 * 3 / 8 + 1. / 6 / 8), u = 1. / 6 / k;
  const double b0 = (0.5 / 8 + 0.5 / 2 + 1. / 3 / 8) / k, s = 2 / u;
  CHECK(fused.uncertainty.item() == Approx(u));
  CHECK(chances(fused.decision)[0] == Approx((b0 * s + 1) / s));
  CHECK(numbers(fused.confidence)[0] == Approx(2. / 3));
  CHECK(numbers(fused.weights)[0] == Approx((2. / 3) / (2. / 3 + 0.5)));
  CHECK(chances(log_softmax(fused.logits[1], 1))[0] == Approx(1.5 / 4));

  // digamma(n + 1) - digamma(n) = 1 / n. Of a alone, alpha (4, 2), class 0: digamma(6) - digamma(4) = 1/4 + 1/5. The
  // penalty is for alpha (1, 2): log G(3) - log G(2) - log G(2) + (digamma(2) - digamma(3)) = log 2 - 1/2.
  in.present = mask({{1, 0}});
  const Fused alone = evidential(in);
  CHECK(chances(alone.decision)[0] == Approx(4. / 6));
  const Tensor y = from(std::vector<std::int64_t>{0});
  const double missed = 0.25 + 0.2, penalty = std::log(2.0) - 0.5;
  CHECK(evidential.auxiliary_loss(alone, y, {.progress = 0}).item() == Approx(2 * missed));
  CHECK(evidential.auxiliary_loss(alone, y, {.progress = 0.05}).item() == Approx(2 * (missed + penalty / 2)));
  CHECK(evidential.auxiliary_loss(alone, y).item() == Approx(2 * (missed + penalty)));
  // A fifth of the target spread over both: 0.1 of it asks for the other, digamma(6) - digamma(2) = 1/2 + 1/3 + 1/4 +
  // 1/5.
  CHECK(evidential.auxiliary_loss(alone, y, {.label_smoothing = 0.2, .progress = 0}).item() ==
        Approx(2 * (0.9 * missed + 0.1 * 77. / 60)));
}

TEST_CASE("experts: a mixture by the gate, and a loss for uneven loads") {
  manual_seed(6);
  fusion::Experts experts(abc_options());
  const data::Modalities in = abc(gaps);
  const Fused fused = experts(in);
  const std::vector<double> w = numbers(fused.weights);
  double load[3] = {}, fair[3] = {};
  for (std::size_t row = 0; row < 5; ++row) {
    const int count = gaps[row][0] + gaps[row][1] + gaps[row][2];
    double p = count == 0 ? 1. / 3 : 0;
    for (std::size_t m = 0; m < 3; ++m) {
      if (gaps[row][m] == 0) continue;
      p += w[3 * row + m] * numbers(softmax(fused.logits[m], 1))[3 * row];
      load[m] += w[3 * row + m];
      fair[m] += 1.0 / count;
    }
    CHECK(std::exp(numbers(fused.decision)[3 * row]) == Approx(p));
  }
  double mean = 0, variance = 0;
  for (std::size_t m = 0; m < 3; ++m) mean += load[m] / fair[m] / 3;
  for (std::size_t m = 0; m < 3; ++m) variance += std::pow(load[m] / fair[m] - mean, 2) / 3;
  CHECK(fused.auxiliary.item() == Approx(0.01 * variance / (mean * mean)));
  set(experts.gate.out.weight, std::vector<double>(15, 0));
  set(experts.gate.out.bias, {0, 0, 0});
  CHECK(experts(in).auxiliary.item() == Approx(0));
}
