#include <weft/autograd/grad.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;

namespace {

std::string making(
    const std::string& name, const std::function<void(fusion::Options&)>& change = [](auto&) {}) {
  fusion::Options options = abc_options();
  change(options);
  return message([&] { fusion::make(name, options); });
}

}  // namespace

TEST_CASE("fusion: unknown names are answered with the nearest") {
  CHECK(making("gaet") == "fusion: there is no \"gaet\"; the closest name is \"gate\"");
  CHECK(message([] { fusion::description("Static1"); }) ==
        "fusion: there is no \"Static1\"; the closest name is \"static\"");
  CHECK(making("single", [](auto& o) { o.modality = "bb"; }) ==
        "single: there is no modality \"bb\"; the closest name is \"b\"");
  CHECK(making("single", [](auto& o) { o.modality = ""; }) == "no error");
}

TEST_CASE("fusion: options that make no sense are refused by every method") {
  for (const std::string& name : fusion::names()) {
    CAPTURE(name);
    CHECK(making(name, [](auto& o) { o.widths.pop_back(); }) == name + ": 3 names for 2 widths");
    CHECK(making(name, [](auto& o) { o.names.clear(), o.widths.clear(); }) ==
          name + ": there is no modality\n  help: give names and widths");
    CHECK(making(name, [](auto& o) { o.widths[1] = 0; }) ==
          name + ": modality \"b\" has width 0\n  help: choose 1 or more");
    CHECK(making(name, [](auto& o) { o.names[2] = o.names[0]; }) == name + ": two modalities are called \"a\"");
    CHECK(making(name, [](auto& o) { o.width = 0; }) == name + ": width is 0\n  help: choose 1 or more");
  }
  for (const std::string name :
       {"late", "gate", "vote", "product", "relevance", "dynamics", "energy", "evidential", "experts"})
    CHECK(making(name, [](auto& o) { o.classes = 1; }) == name + ": classes is 1\n  help: choose 2 or more");
  for (const std::string name : {"softmax", "gate", "attention", "query", "cross", "energy", "experts"})
    CHECK(making(name, [](auto& o) { o.temperature = 0; }) ==
          name + ": temperature is 0\n  help: choose a number above 0");
  for (const std::string name : {"gate", "relevance", "experts"})
    CHECK(making(name, [](auto& o) { o.hidden = 0; }) == name + ": hidden is 0\n  help: choose 1 or more");
  for (const std::string name : {"gated", "transformer"})
    CHECK(making(name, [](auto& o) { o.layers = 0; }) == name + ": layers is 0\n  help: choose 1 or more");
  CHECK(making("transformer", [](auto& o) { o.heads = 0; }) == "transformer: heads is 0\n  help: choose 1 or more");
  CHECK(making("transformer", [](auto& o) { o.heads = 4; }) == "transformer: width 6 is not a multiple of heads 4");
  CHECK(making("lowrank", [](auto& o) { o.rank = 0; }) == "lowrank: rank is 0\n  help: choose 1 or more");
  CHECK(making("tensor", [](auto& o) { o.factor_width = -1; }) ==
        "tensor: factor_width is -1\n  help: choose 0 or more");
  CHECK(making("vote", [](auto& o) { o.auxiliary_weight = 0; }) ==
        "vote: auxiliary_weight is 0, and votes pass no gradient\n  help: choose a number above 0");
  CHECK(making("relevance", [](auto& o) { o.relevance.pop_back(); }) ==
        "relevance: 2 numbers of relevance for 3 modalities");
  CHECK(making("relevance", [](auto& o) { o.relevance[1] = 1.5; }) ==
        "relevance: that of \"b\" is 1.5\n  help: choose a number from 0 to 1");
  CHECK(making("relevance", [](auto& o) { o.relevance.clear(); }) == "no error");
  CHECK(making("relevance", [](auto& o) { o.confidence_share = -0.1; }) ==
        "relevance: confidence_share is -0.1\n  help: choose a number from 0 to 1");
  CHECK(making("evidential", [](auto& o) { o.annealing = -1; }) ==
        "evidential: annealing is -1\n  help: choose a share of the training, from 0 up");
  CHECK(making("gate", [](auto& o) { o.dropout = 2; }) == "dropout: p is 2\n  help: choose a probability from 0 to 1");
  CHECK(making("static", [](auto& o) { o.weights.pop_back(); }) == "static: 2 weights for 3 modalities");
  CHECK(making("static", [](auto& o) { o.weights[1] = 0; }) ==
        "static: the weight of \"b\" is 0\n  help: choose a number above 0, or leave the modality out");
  CHECK(making("static", [](auto& o) { o.weights.clear(); }) == "no error");
}

TEST_CASE("fusion: evidence of another kind than the method was made for is refused") {
  CHECK(message([] { fusion::Fusion()(abc(gaps)); }) ==
        "fusion: there is no method\n  help: make one with fusion::make(name, options)");
  for (const std::string& name : fusion::names()) {
    CAPTURE(name);
    const fusion::Fusion f = fusion::make(name, abc_options());
    CHECK(message([&] {
            f(abc(gaps).select(std::vector<std::string>{"a", "b"}));
          }) == name + ": 2 modalities, made for 3");
    CHECK(message([&] {
            f(abc(gaps).select(std::vector<std::string>{"a", "c", "b"}));
          }) == name + ": modality 1 is \"c\", made for \"b\"\n  help: bring them in order with select(names)");
    data::Modalities wide = abc(gaps);
    wide.features[0] = zeros({5, 4}, DType::float64);
    CHECK(message([&] { f(wide); }) == name + ": \"a\" is [5, 4], made for [5, 3]");
    wide = abc(gaps);
    wide.present = mask({{1, 1, 1}});
    CHECK(message([&] { f(wide); }) == "modalities: the presence mask is [1, 3] for 5 samples and 3 modalities");
  }
}

TEST_CASE("fusion: losses weigh rows and classes, and leave out what does not count") {
  const Tensor logits = tensor({{2, 0}, {0, 1}, {1, 1}, {0, 3}}, DType::float64);
  const Tensor y = from(std::vector<std::int64_t>{0, 0, 1, 1});
  const std::vector<double> rows = numbers(cross_entropy(logits, y, {.reduction = Reduction::none}));
  CHECK(fusion::decision_loss(logits, y).item() == doctest::Approx((rows[0] + rows[1] + rows[2] + rows[3]) / 4));
  const Tensor class_weights = tensor({1, 3}, DType::float64), row_weights = tensor({1, 2, 0, 1}, DType::float64);
  CHECK(fusion::decision_loss(logits, y, {.class_weights = class_weights}).item() ==
        doctest::Approx(cross_entropy(logits, y, {.weight = class_weights}).item()));
  CHECK(fusion::decision_loss(logits, y, {.class_weights = class_weights, .row_weights = row_weights}).item() ==
        doctest::Approx((rows[0] + 2 * rows[1] + 3 * rows[3]) / 6));
  CHECK(fusion::decision_loss(logits, y, {.class_weights = class_weights, .label_smoothing = 0.2}).item() ==
        doctest::Approx(cross_entropy(logits, y, {.weight = class_weights, .label_smoothing = 0.2}).item()));
  const Tensor counts = reshape(mask({{1, 0, 0, 1}}), {4});
  CHECK(fusion::decision_loss(logits, y, {}, counts).item() == doctest::Approx((rows[0] + rows[3]) / 2));
  CHECK(!fusion::decision_loss(logits, y, {}, reshape(mask({{0, 0, 0, 0}}), {4})).defined());
  CHECK(
      !fusion::decision_loss(logits, y, {.row_weights = zeros({4}, DType::float64), .label_smoothing = 0.1}).defined());
  CHECK(message([&] { fusion::decision_loss(logits, y, {.row_weights = zeros({3})}); }) ==
        "mean_loss: the row weights are [3], the losses [4]");
  CHECK(message([&] { fusion::modality_losses({}, y); }) ==
        "modality_losses: this fusion gives no logits per modality");
}
