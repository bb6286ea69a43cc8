#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include <unistd.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/fusion/confidence_gates.h>
#include <weft/fusion/joint_attention.h>
#include <weft/fusion/late.h>
#include <weft/layers/serialize.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;
using fusion::Fused;
using fusion::Fusion;

namespace {

Fusion made(const std::string& name, const fusion::Options& options = abc_options(), std::uint64_t seed = 1) {
  manual_seed(seed);
  return fusion::make(name, options);
}

/// What the method decides from: its features or its decision.
Tensor result(const Fused& fused) { return fused.decision.defined() ? fused.decision : fused.features; }

const Tensor& target() {
  static const Tensor y = from(std::vector<std::int64_t>{0, 2, 1, 1, 2});
  return y;
}

/// One number that everything the method gives takes part in.
Tensor total(const Fusion& method, const Fused& fused) {
  Generator g{3};
  const auto mix = [&g](const Tensor& x) { return sum(x * randn(x.shape(), 0, 1, x.dtype(), g)); };
  Tensor loss = mix(result(fused));
  if (fused.weights.defined()) loss = loss + mix(fused.weights);
  if (fused.uncertainty.defined()) loss = loss + mix(fused.uncertainty);
  if (fused.auxiliary.defined()) loss = loss + fused.auxiliary;
  const Tensor asked = method.auxiliary_loss(fused, target());
  return asked.defined() ? loss + asked : loss;
}

/// Exchanges parameters for others, in the order of declaration.
class Exchange final : public Visitor {
 public:
  explicit Exchange(const std::vector<Tensor>& in, std::size_t first) : in_(in), next_(first) {}
  void parameter(const std::string&, Tensor& x) override { x = in_[next_++]; }
  void buffer(const std::string&, Buffer&) override {}
  void mode(Mode&) override {}

 private:
  const std::vector<Tensor>& in_;
  std::size_t next_;
};

}  // namespace

TEST_CASE("fusion: every method has its record and its description") {
  std::set<std::string> recorded;
  for (const Method& each : methods()) recorded.insert(each.name);
  for (const std::string& name : fusion::names()) {
    CHECK_MESSAGE(recorded.count(name) == 1, "add a record for " << name << " to tests/unit/fusion_cases.h");
    CHECK(!fusion::description(name).empty());
    CHECK(made(name).name() == name);
  }
  CHECK(recorded.size() == fusion::names().size());
}

TEST_CASE("fusion: shapes, and weights that sum to 1 over what is present") {
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    const Fusion f = made(method.name);
    const Fused fused = f(abc(gaps));
    CHECK(f.decides() == method.decides);
    CHECK(fused.features.defined() != method.decides);
    CHECK(fused.decision.defined() == method.decides);
    CHECK(result(fused).shape() == Shape{5, method.decides ? abc_classes : abc_width});
    CHECK(finite(result(fused)));
    CHECK(same(fused.present, abc(gaps).present));
    REQUIRE(fused.weights.defined() == method.weighs);
    REQUIRE(fused.confidence.defined() == method.confident);
    REQUIRE(fused.uncertainty.defined() == method.uncertain);
    REQUIRE(fused.logits.size() == (method.alone ? 3 : 0));

    const std::vector<double> nothing = numbers(fused.empty);
    for (std::size_t row = 0; row < 5; ++row) {
      CAPTURE(row);
      // "single" looks at b only.
      const bool empty = method.name == "single" ? !gaps[row][1] : row == 3;
      CHECK((nothing[row] != 0) == empty);
      double weights = 0;
      for (std::size_t m = 0; m < 3; ++m) {
        const bool has = gaps[row][m] != 0;
        if (method.weighs) {
          const double w = numbers(fused.weights)[3 * row + m];
          weights += w;
          CHECK(w >= 0);
          if (!has) CHECK(w == 0);
        }
        if (method.confident) {
          const double c = numbers(fused.confidence)[3 * row + m];
          CHECK((has ? c > 0 && c < 1 : c == 0));
        }
        if (method.alone && !has)
          CHECK(same(select(fused.logits[m], 0, static_cast<std::int64_t>(row)), zeros({abc_classes}, DType::float64)));
      }
      if (method.uncertain) {
        const double u = numbers(fused.uncertainty)[row];
        CHECK((empty ? u == 1 : u > 0 && u < 1));
      }
      if (method.weighs) CHECK(weights == doctest::Approx(empty ? 0.0 : 1.0));
      if (empty && method.weighs && !method.decides)
        CHECK(same(select(fused.features, 0, static_cast<std::int64_t>(row)), zeros({abc_width}, DType::float64)));
    }
  }
}

TEST_CASE("fusion: what stands in the place of a missing modality reaches no output and no gradient") {
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    const auto run = [&](double filler) {
      Fusion f = made(method.name);
      data::Modalities in = abc(gaps, filler);
      for (Tensor& x : in.features) x.set_requires_grad();
      const Fused fused = f(in);
      total(f, fused).backward();
      std::vector<Tensor> seen = {result(fused),     fused.weights,   fused.confidence,
                                  fused.uncertainty, fused.auxiliary, fused.empty};
      for (const Tensor& x : fused.logits) seen.push_back(x);
      for (const Tensor& p : parameters(f)) seen.push_back(p.grad());
      for (std::size_t m = 0; m < 3; ++m) {
        const Tensor dx = in.features[m].grad();
        if (!dx.defined()) continue;  // "single" does not look at it
        seen.push_back(dx);
        const auto at = static_cast<std::int64_t>(m);
        CHECK(sum(abs(where(slice(in.present, 1, at, at + 1), zeros_like(dx), dx))).item() == 0);
      }
      return seen;
    };
    const std::vector<Tensor> zero = run(0), nan = run(std::nan("")), huge = run(1e300);
    REQUIRE(zero.size() == nan.size());
    for (std::size_t i = 0; i < zero.size(); ++i) {
      CAPTURE(i);
      if (zero[i].defined()) CHECK(finite(zero[i]));
      CHECK(same(zero[i], nan[i]));
      CHECK(same(zero[i], huge[i]));
    }
  }
}

TEST_CASE("fusion: a modality that nobody has, one sample, no gaps, nothing at all, no sample") {
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    const Fusion f = made(method.name);
    for (const auto& present : std::vector<std::vector<std::vector<int>>>{
             {{1, 0, 1}, {1, 0, 0}}, {{0, 0, 0}, {0, 0, 0}}, {{1, 1, 1}}, {{0, 1, 0}, {1, 1, 1}}}) {
      const Fused fused = f(abc(present));
      CHECK(finite(result(fused)));
      const Tensor asked = f.auxiliary_loss(fused, from(std::vector<std::int64_t>(present.size(), 1)));
      if (asked.defined()) CHECK(finite(asked));
      if (fused.auxiliary.defined()) CHECK(finite(fused.auxiliary));
      if (method.weighs)
        for (std::size_t i = 0; i < 3 * present.size(); ++i)
          if (!present[i / 3][i % 3]) CHECK(numbers(fused.weights)[i] == 0);
    }
    const data::Modalities nobody = abc(gaps).rows({});
    CHECK(result(f(nobody)).size(0) == 0);
  }
}

TEST_CASE("fusion: dropout while training moves weights, but not off what is present, and never in evaluation") {
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    fusion::Options options = abc_options();
    options.dropout = 0.5;
    Fusion f = made(method.name, options);
    for (int time = 0; time < 20; ++time) {
      const Fused fused = f(abc(gaps));
      CHECK(finite(result(fused)));
      if (!method.weighs) continue;
      const std::vector<double> w = numbers(fused.weights);
      for (std::size_t row = 0; row < 5; ++row) {
        double sum = 0;
        for (std::size_t m = 0; m < 3; ++m) {
          sum += w[3 * row + m];
          if (!gaps[row][m]) CHECK(w[3 * row + m] == 0);
        }
        const bool empty = method.name == "single" ? !gaps[row][1] : row == 3;
        CHECK(sum == doctest::Approx(empty ? 0.0 : 1.0));
      }
    }
    eval(f);
    CHECK(same(result(f(abc(gaps))), result(f(abc(gaps)))));
  }
}

TEST_CASE("fusion: with one modality it weighs 1") {
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    fusion::Options options = abc_options();
    options.names = {"b"};
    options.widths = {2};
    options.weights = {3};
    options.relevance = {0};
    const Fusion f = made(method.name, options);
    const Fused fused = f(abc(gaps).select(options.names));
    CHECK(finite(result(fused)));
    if (method.weighs) CHECK(numbers(fused.weights) == std::vector<double>{1, 0, 1, 0, 1});
  }
}

TEST_CASE("fusion: the order of the modalities does not matter") {
  const std::vector<std::size_t> order = {2, 0, 1};  // place i holds what was modality order[i]
  fusion::Options other = abc_options();
  std::vector<std::int64_t> modalities, features, spaces, grid;
  const std::int64_t side = abc_options().factor_width + 1;
  for (std::size_t i = 0; i < 3; ++i) {
    other.names[i] = abc_names[order[i]];
    other.widths[i] = abc_widths[order[i]];
    other.weights[i] = abc_options().weights[order[i]];
    other.relevance[i] = abc_options().relevance[order[i]];
    modalities.push_back(static_cast<std::int64_t>(order[i]));
    std::int64_t first = 0;
    for (std::size_t m = 0; m < order[i]; ++m) first += abc_widths[m];
    for (std::int64_t j = 0; j < abc_widths[order[i]]; ++j) features.push_back(first + j);
    for (std::int64_t j = 0; j < abc_width; ++j) spaces.push_back(static_cast<std::int64_t>(order[i]) * abc_width + j);
  }
  for (std::int64_t at = 0; at < side * side * side; ++at) {
    std::int64_t there[3] = {};
    const std::int64_t here[3] = {at / (side * side), at / side % side, at % side};
    for (std::size_t i = 0; i < 3; ++i) there[order[i]] = here[i];
    grid.push_back((there[0] * side + there[1]) * side + there[2]);
  }
  const auto indices = [&](Lies lies) -> const std::vector<std::int64_t>& {
    return lies == Lies::one ? modalities : lies == Lies::features ? features : lies == Lies::spaces ? spaces : grid;
  };
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    Fusion f = made(method.name), g = made(method.name, other, 2);
    const auto original = state(f);
    const NoGrad off;
    for (auto& [name, mine] : state(g)) {
      // "gates.0.score.bias" there is "gates.2.score.bias" here.
      std::string source = name;
      const std::string member = name.substr(0, name.find('.'));
      const bool layered = std::find(method.stacks.begin(), method.stacks.end(), member) != method.stacks.end();
      if (const std::size_t i = member.size() + 1; !layered && i < source.size() && std::isdigit(source[i]))
        source[i] = static_cast<char>('0' + order[static_cast<std::size_t>(source[i] - '0')]);
      const auto at =
          std::find_if(original.begin(), original.end(), [&](const auto& each) { return each.first == source; });
      REQUIRE(at != original.end());
      Tensor value = at->second;
      for (const Along& each : method.along)
        if (each.parameter == name) value = index_select(value, each.axis, from(indices(each.lies)));
      REQUIRE(value.shape() == mine.shape());
      const std::vector<double> values = numbers(value);
      std::copy(values.begin(), values.end(), mine.mutable_data<double>());
    }
    const Fused here = f(abc(gaps)), there = g(abc(gaps).select(other.names));
    CHECK(testing::allclose(result(there), result(here)));
    if (method.weighs) CHECK(testing::allclose(there.weights, index_select(here.weights, 1, from(modalities))));
    if (method.confident)
      CHECK(testing::allclose(there.confidence, index_select(here.confidence, 1, from(modalities))));
  }
}

TEST_CASE("fusion: gradients are right and reach every parameter") {
  // Each is missing where two others are left: with one left, that one weighs 1 whatever the parameters are.
  const std::vector<std::vector<int>> two_left = {{1, 1, 1}, {1, 0, 1}, {0, 1, 1}, {0, 0, 0}, {1, 1, 0}};
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    Fusion f = made(method.name);
    total(f, f(abc(two_left))).backward();
    for (const auto& each : named_parameters(f)) {
      CAPTURE(each.first);
      REQUIRE(each.second.grad().defined());
      CHECK(sum(abs(each.second.grad())).item() > 0);
    }
    // Of the features (those of present rows) and of all parameters.
    std::vector<Tensor> inputs = abc(two_left, 0).features;
    for (const Tensor& p : parameters(f)) inputs.push_back(copy(detach(p)));
    for (Tensor& x : inputs) x.set_requires_grad();
    const auto all = [&](const std::vector<Tensor>& in) {
      Fusion copied = f;
      Exchange exchange(in, 3);
      walk(copied, exchange);
      data::Modalities evidence = abc(two_left);
      std::copy_n(in.begin(), 3, evidence.features.begin());
      const Fused fused = copied(evidence);
      std::vector<Tensor> out = {result(fused)};
      if (method.weighs && !method.constant_weights) out.push_back(fused.weights);
      if (method.uncertain) out.push_back(fused.uncertainty);
      if (fused.auxiliary.defined()) out.push_back(fused.auxiliary);
      if (method.smooth_auxiliary)
        if (const Tensor asked = copied.auxiliary_loss(fused, target()); asked.defined()) out.push_back(asked);
      return out;
    };
    if (method.name == "single") {  // a and c are not looked at
      const auto report = testing::gradcheck(
          [&](const std::vector<Tensor>& in) {
            std::vector<Tensor> full = inputs;
            full[1] = in[0];
            full[3] = in[1];
            return all(full);
          },
          {inputs[1], inputs[3]});
      CHECK_MESSAGE(report, report.message);
      continue;
    }
    const auto report = testing::gradcheck(all, inputs);
    CHECK_MESSAGE(report, report.message);
  }
}

TEST_CASE("fusion: copies share tensors, clones do not, files bring everything back") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("fusion." + std::to_string(::getpid()) + ".safetensors")).string();
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    Fusion f = made(method.name), other = made(method.name, abc_options(), 2), copied = f, cloned = clone(f);
    const Tensor before = result(f(abc(gaps)));
    CHECK(!same(before, result(other(abc(gaps)))));
    save(f, path);
    CHECK(load(other, path).complete());
    CHECK(same(before, result(other(abc(gaps)))));

    std::set<std::string> names;
    for (const auto& each : state(f)) CHECK_MESSAGE(names.insert(each.first).second, each.first);
    CHECK(ties(f).empty());
    for (Tensor& p : parameters(f)) p.mutable_data<double>()[0] += 1;
    CHECK(same(result(f(abc(gaps))), result(copied(abc(gaps)))));
    CHECK(same(before, result(cloned(abc(gaps)))));
    CHECK(cloned.name() == method.name);
    for (const Tensor& p : parameters(cloned)) CHECK(p.requires_grad());
  }
  std::filesystem::remove(path);
}

TEST_CASE("fusion: late is the mean of the present probabilities, even where they are tiny") {
  fusion::Options options = abc_options();
  options.classes = 2;
  manual_seed(1);
  fusion::Late late(options);
  const Fused fused = late(abc(gaps));
  for (std::int64_t row = 0; row < 5; ++row) {
    double p = 0;
    int n = 0;
    for (std::size_t m = 0; m < 3; ++m)
      if (gaps[static_cast<std::size_t>(row)][m])
        ++n, p += numbers(softmax(fused.logits[m], 1))[static_cast<std::size_t>(2 * row)];
    CHECK(std::exp(numbers(fused.decision)[static_cast<std::size_t>(2 * row)]) == doctest::Approx(n ? p / n : 0.5));
  }
  for (Linear& head : late.heads) {
    double* b = head.bias.mutable_data<double>();
    b[0] = -2000;
    b[1] = 2000;
  }
  const std::vector<double> decision = numbers(late(abc(gaps)).decision);
  CHECK(decision[0] < -3900);
  CHECK(std::isfinite(decision[0]));
  CHECK(decision[1] == doctest::Approx(0));
}

TEST_CASE("fusion: static weights are shared among the present, learned ones begin even") {
  const std::vector<double> w = numbers(made("static")(abc(gaps)).weights);  // 0.5, 1.5, 2
  const std::vector<double> expected = {0.125, 0.375, 0.5, 0.2, 0, 0.8, 0, 1, 0, 0, 0, 0, 0.25, 0.75, 0};
  for (std::size_t i = 0; i < w.size(); ++i) CHECK(w[i] == doctest::Approx(expected[i]));
  const std::vector<double> even = {1. / 3, 1. / 3, 1. / 3, 0.5, 0, 0.5, 0, 1, 0, 0, 0, 0, 0.5, 0.5, 0};
  for (const char* name : {"softmax", "mean", "late"}) {
    const std::vector<double> mine = numbers(made(name)(abc(gaps)).weights);
    for (std::size_t i = 0; i < even.size(); ++i) CHECK(mine[i] == doctest::Approx(even[i]));
  }
}

TEST_CASE("fusion: the weights of gates are prior times odds of confidence, and confidence foretells the true class") {
  manual_seed(1);
  fusion::ConfidenceGates gate(abc_options());
  gate.theta.mutable_data<double>()[1] = 1;
  const Fused fused = gate(abc(gaps));
  const std::vector<double> c = numbers(fused.confidence), w = numbers(fused.weights), theta = {0, 1, 0};
  const auto odds = [](double p) { return p / (1 - p); };
  for (std::size_t row = 0; row < 5; ++row) {
    double sum = 0;
    for (std::size_t m = 0; m < 3; ++m) sum += std::exp(theta[m]) * odds(c[3 * row + m]);
    for (std::size_t m = 0; m < 3 && sum > 0; ++m)
      CHECK(w[3 * row + m] == doctest::Approx(std::exp(theta[m]) * odds(c[3 * row + m]) / sum));
  }
  // The loss by hand: cross-entropy plus squared error of the confidence, over the rows that have the modality.
  double expected = 0;
  for (std::size_t m = 0; m < 3; ++m) {
    const std::vector<double> p = numbers(softmax(fused.logits[m], 1));
    double loss = 0, n = 0;
    for (std::size_t row = 0; row < 5; ++row) {
      if (!gaps[row][m]) continue;
      const double truth = p[3 * row + static_cast<std::size_t>(to_vector<std::int64_t>(target())[row])];
      loss += -std::log(truth) + 0.3 * (c[3 * row + m] - truth) * (c[3 * row + m] - truth);
      ++n;
    }
    expected += loss / n;
  }
  CHECK(gate.auxiliary_loss(fused, target()).item() == doctest::Approx(expected));
  gate.auxiliary_weight = 0.25;
  CHECK(gate.auxiliary_loss(fused, target()).item() == doctest::Approx(expected / 4));
}

TEST_CASE("fusion: the attention's map is one parameter, the same at each call") {
  manual_seed(1);
  fusion::JointAttention attention(abc_options());
  CHECK(attention.scores.weight.shape() == Shape{3, 9});
  CHECK(same(attention(abc(gaps)).weights, attention(abc(gaps)).weights));
  // Weights differ between samples, and with what is absent.
  const std::vector<double> w = numbers(attention(abc({{1, 1, 1}, {1, 1, 1}})).weights);
  CHECK(w[0] != w[3]);
}
