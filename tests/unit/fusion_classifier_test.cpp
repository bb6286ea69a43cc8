#include <algorithm>
#include <cmath>

#include <weft/fusion/classifier.h>
#include <weft/layers/serialize.h>
#include <weft/optim/optimizer.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;
using fusion::Classifier;
using fusion::Output;

namespace {

fusion::ClassifierOptions small(const std::string& method) {
  fusion::ClassifierOptions o;
  o.names = abc_names;
  for (const std::int64_t width : abc_widths)
    o.encoders.push_back({"mlp", {.in_features = width, .hidden = {8}, .norm = "batch"}});
  o.fusion = method;
  o.classes = 3;
  o.head = {7};
  o.dropout = 0.3;
  o.method.width = 6;
  return o;
}

/// Three classes that are told apart by the sum of a's, b's and c's first features; gaps here and there.
std::pair<data::Modalities, Tensor> task(std::int64_t n) {
  std::vector<std::vector<int>> present;
  for (std::int64_t i = 0; i < n; ++i) present.push_back({1, i % 5 != 0, i % 7 != 0});
  data::Modalities all = abc(present);
  std::vector<std::int64_t> labels;
  const std::vector<double> a = numbers(all.features[0]);
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = a[static_cast<std::size_t>(3 * i)];
    labels.push_back(x < -0.4 ? 0 : x < 0.4 ? 1 : 2);
  }
  return {all, from(labels)};
}

}  // namespace

TEST_CASE("classifier: every fusion learns, with gaps, batch normalisation, dropout and a row without anything") {
  const auto [evidence, target] = task(210);
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    manual_seed(1);
    fusion::ClassifierOptions options = small(method.name);
    options.method.modality = "a";
    Classifier net(options);
    optim::Adam optimizer(parameters(net), {.lr = 1e-2});
    double first = 0, last = 0;
    for (int step = 0; step < 60; ++step) {
      const Tensor loss = net.loss(net(evidence), target);
      (step == 0 ? first : last) = loss.item();
      loss.backward();
      optimizer.step();
      optimizer.zero_grad();
    }
    CHECK(last < 0.75 * first);
    eval(net);
    const Output out = net(evidence);
    const double right = mean(to(eq(argmax(out.logits, 1), target), DType::float64)).item();
    CHECK(right > 0.7);
    CHECK(numbers(sum(exp(out.log_probabilities), 1))[0] == doctest::Approx(1).epsilon(1e-5));
    CHECK(same(out.log_probabilities, net(evidence).log_probabilities));
    CHECK(finite(net(abc(gaps)).log_probabilities));
  }
}

TEST_CASE("classifier: the loss is the decision's cross-entropy plus what the fusion asks for") {
  manual_seed(1);
  const Tensor y = from(std::vector<std::int64_t>{0, 2, 1, 1, 2});
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    Classifier net(small(method.name));
    eval(net);
    CHECK((net.head.size() == 0) == method.decides);
    const Output out = net(abc(gaps));
    const double unlabelled = out.fused.auxiliary.defined() ? out.fused.auxiliary.item() : 0;
    double expected = nll_loss(out.log_probabilities, y).item() + unlabelled;
    if (const Tensor asked = net.fusion.auxiliary_loss(out.fused, y); asked.defined()) expected += asked.item();
    CHECK(net.loss(out, y).item() == doctest::Approx(expected).epsilon(1e-5));
    const Tensor weights = tensor({1, 2, 3});
    expected = nll_loss(out.log_probabilities, y, {.weight = weights}).item() + unlabelled;
    if (const Tensor asked = net.fusion.auxiliary_loss(out.fused, y, {.class_weights = weights}); asked.defined())
      expected += asked.item();
    CHECK(net.loss(out, y, {.class_weights = weights}).item() == doctest::Approx(expected).epsilon(1e-5));
    CHECK(message([&] { net.loss(out, y, {.row_weights = zeros({5})}); }) ==
          "classifier: the weights of all samples are 0, so there is no loss");
  }
}

TEST_CASE("classifier: a modality dropped for everyone, layers of one's own, names of parameters") {
  manual_seed(1);
  fusion::ClassifierOptions options = small("gate");
  fusion::Encoder own;
  own.layers.add(Linear(2, 4)).add(Tanh());
  own.width = 4;
  options.encoders[1].own = own;
  Classifier net(options);
  CHECK(finite(net(abc({{1, 0, 1}, {1, 0, 1}})).log_probabilities));
  std::vector<std::string> names;
  for (const auto& each : state(net)) names.push_back(each.first);
  for (const char* name : {"encoders.0.layers.0.weight", "encoders.0.layers.1.norm.running_mean",
                           "encoders.1.layers.0.bias", "fusion.gates.2.score.weight", "fusion.theta", "head.1.weight"})
    CHECK_MESSAGE(std::find(names.begin(), names.end(), name) != names.end(), name);
  eval(net);
  Classifier cloned = clone(net);
  const Tensor before = net(abc(gaps)).logits;
  for (Tensor& p : parameters(net)) p.mutable_data<float>()[0] += 1;
  CHECK(same(before, cloned(abc(gaps)).logits));
  CHECK(!same(before, net(abc(gaps)).logits));
}

TEST_CASE("classifier: options that make no sense are refused") {
  const auto making = [](const std::function<void(fusion::ClassifierOptions&)>& change) {
    fusion::ClassifierOptions o = small("gate");
    change(o);
    return message([&] { Classifier net(o); });
  };
  CHECK(making([](auto& o) { o.encoders.pop_back(); }) == "classifier: 2 encoders for 3 modalities");
  CHECK(making([](auto& o) { o.fusion = "atention"; }) ==
        "fusion: there is no \"atention\"; the closest name is \"attention\"");
  CHECK(making([](auto& o) { o.fusion = "mean", o.classes = 1; }) ==
        "classifier: classes is 1\n  help: choose 2 or more");
  CHECK(making([](auto& o) { o.head = {0}; }) ==
        "classifier: a layer of the head has 0 features\n  help: choose 1 or more");
}
