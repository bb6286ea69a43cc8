#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/fusion/degrade.h>
#include <weft/fusion/distill.h>
#include <weft/fusion/prototypes.h>
#include <weft/layers/testing.h>
#include <weft/optim/optimizer.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;
using testing::allclose;

namespace {

constexpr DType f64 = DType::float64;

/// Trains a classifier of the modalities that x has by `loss(net, x)`.
template <class Loss>
fusion::Classifier trained(const data::Modalities& x, int steps, Loss&& loss) {
  fusion::ClassifierOptions options{
      .names = x.names, .encoders = {}, .fusion = "mean", .classes = 2, .method = {.width = 8}};
  for (const Tensor& f : x.features) options.encoders.push_back({"mlp", {.in_features = f.size(1), .hidden = {16}}});
  fusion::Classifier net(options);
  optim::Adam optimizer(parameters(net), {.lr = 1e-2});
  for (int step = 0; step < steps; ++step) {
    loss(net).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  eval(net);
  return net;
}

double accuracy(const fusion::Classifier& net, const data::Modalities& x, const Tensor& y) {
  const NoGrad off;
  return mean(to(eq(argmax(net(x).logits, 1), y), f64)).item();
}

}  // namespace

TEST_CASE("distillation: T^2 times the divergence of softened answers") {
  // By hand for T = 2: teacher (2, 0) -> p = 1 / (1 + e^-1), student (0, 2) -> 1 - p; KL = (2 p - 1) * 1.
  const Tensor teacher = tensor({{2, 0}, {1, 1}}, f64), student = tensor({{0, 2}, {1, 1}}, f64);
  const double p = 1 / (1 + std::exp(-1.0));
  const Tensor each = fusion::soft_target_loss(student, teacher, {.temperature = 2, .reduction = Reduction::none});
  CHECK(numbers(each)[0] == doctest::Approx(4 * (2 * p - 1)));
  CHECK(numbers(each)[1] == doctest::Approx(0));
  CHECK(fusion::soft_target_loss(student, teacher, {.temperature = 2}).item() == doctest::Approx(2 * (2 * p - 1)));
  CHECK(fusion::soft_target_loss(student, teacher, {.temperature = 2, .reduction = Reduction::sum}).item() ==
        doctest::Approx(4 * (2 * p - 1)));
  const Tensor weights = tensor({3, 1}, f64);
  CHECK(fusion::soft_target_loss(student, teacher, {.temperature = 2, .weights = weights}).item() ==
        doctest::Approx(3 * (2 * p - 1)));
  // Adding a constant to logits says nothing, so log-probabilities do as well.
  CHECK(fusion::soft_target_loss(log_softmax(student, 1), teacher + 5.0).item() ==
        doctest::Approx(fusion::soft_target_loss(student, teacher).item()));
  // The gradient is T (softmax(student / T) - softmax(teacher / T)), of size one for any T; the teacher gets none.
  Tensor s = copy(student).set_requires_grad(), t = copy(teacher).set_requires_grad();
  fusion::soft_target_loss(s, t, {.temperature = 2, .reduction = Reduction::sum}).backward();
  CHECK(allclose(s.grad(), (softmax(student / 2.0, 1) - softmax(teacher / 2.0, 1)) * 2.0));
  CHECK(!t.grad().defined());
  const Tensor fixed = randn({4, 3}, 0, 1, f64), y = from(std::vector<std::int64_t>{0, 2, 1, -100});
  const auto report = testing::gradcheck(
      [&](const std::vector<Tensor>& in) { return fusion::distillation_loss(in[0], fixed, y, {.temperature = 3}); },
      {randn({4, 3}, 0, 1, f64)});
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("distillation: its share, rows without a teacher and rows without a label") {
  const Tensor teacher = tensor({{2, 0, 1}, {1, 1, 0}}, f64), student = tensor({{0, 2, 1}, {1, 3, 1}}, f64);
  const Tensor y = from(std::vector<std::int64_t>{0, 1}), none = full({2}, -100, DType::int64);
  const double hard = cross_entropy(student, y).item(), soft = fusion::soft_target_loss(student, teacher).item();
  CHECK(fusion::distillation_loss(student, teacher, y, {.hard = 0.3}).item() ==
        doctest::Approx(0.3 * hard + 0.7 * soft));
  CHECK(fusion::distillation_loss(student, teacher, y, {.hard = 1}).item() == doctest::Approx(hard));
  CHECK(fusion::distillation_loss(student, teacher, none, {.hard = 0.3}).item() == doctest::Approx(0.7 * soft));
  CHECK(fusion::distillation_loss(student, teacher, y, {.hard = 0.3, .weights = zeros({2}, f64)}).item() ==
        doctest::Approx(0.3 * hard));
  CHECK(fusion::distillation_loss(student, teacher, none, {.weights = zeros({2}, f64)}).item() == 0);
  const Tensor each = cross_entropy(student, y, {.reduction = Reduction::none}), thrice = tensor({1, 3}, f64);
  CHECK(fusion::distillation_loss(student, teacher, y, {.hard = 1, .hard_weights = thrice}).item() ==
        doctest::Approx(weighted_mean(each, thrice).item()));
  const Tensor second = from(std::vector<std::int64_t>{-100, 1});  // the first has no label, whatever it weighs
  CHECK(fusion::distillation_loss(student, teacher, second, {.hard = 1, .hard_weights = thrice}).item() ==
        doctest::Approx(select(each, 0, 1).item()));
  CHECK(fusion::distillation_loss(student, teacher, y, {.hard = 0.3, .hard_weights = zeros({2}, f64)}).item() ==
        doctest::Approx(0.7 * soft));
  CHECK(message([&] { fusion::distillation_loss(student, teacher, y, {.hard = 2}); }) ==
        "distillation: hard is 2\n  help: choose a share from 0 to 1");
  CHECK(message([&] { fusion::soft_target_loss(student, teacher, {.temperature = 0}); }) ==
        "distillation: temperature is 0\n  help: choose a number above 0");
  CHECK(message([&] {
          fusion::soft_target_loss(student, zeros({2, 2}));
        }) == "distillation: the student says [2, 3], the teacher [2, 2]\n  help: give logits (B, C) of both");
}

TEST_CASE("distillation: a strong modality teaches a weak one where labels are few") {
  double alone = 0, taught = 0, strong = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    manual_seed(seed);
    const std::int64_t n = 600, labelled = 12;
    const Tensor y = randint(0, 2, {n}), sign = unsqueeze(to(y, DType::float32) * 2.0 - 1.0, 1);
    // The class is plain in the strong modality; in the weak one it is spread over forty noisy numbers.
    data::Modalities x =
        data::Modalities::complete({"strong", "weak"}, {sign * 1.8 + randn({n, 2}), sign * 0.25 + randn({n, 40})});
    std::vector<std::int64_t> few, train, test;
    for (std::int64_t i = 0; i < n; ++i) {
      if (i < labelled) few.push_back(i);
      (i < n / 2 ? train : test).push_back(i);
    }
    const std::vector<std::string> weak = {"weak"}, all = {"strong", "weak"};
    const data::Modalities seen = x.rows(train), held = x.rows(test);
    Tensor target = contiguous(slice(y, 0, 0, n / 2));
    const Tensor y_few = slice(y, 0, 0, labelled), y_test = slice(y, 0, n / 2, n);
    for (std::int64_t i = labelled; i < n / 2; ++i) target.mutable_data<std::int64_t>()[i] = -100;
    const auto on_labels = [&](const data::Modalities& rows) {
      return [&, rows](const fusion::Classifier& net) { return net.loss(net(rows), y_few); };
    };
    const data::Modalities known = x.rows(few);
    const fusion::Classifier teacher = trained(known, 60, on_labels(known));
    const fusion::Classifier plain = trained(known.select(weak), 60, on_labels(known.select(weak)));
    const Tensor says = [&] {
      const NoGrad off;
      return teacher(seen).logits;
    }();
    const fusion::Classifier student = trained(seen.select(weak), 60, [&](const fusion::Classifier& net) {
      return fusion::distillation_loss(net(seen.select(weak)).logits, says, target, {.temperature = 2, .hard = 0.3});
    });
    strong += accuracy(teacher, held, y_test) / 5;
    alone += accuracy(plain, held.select(weak), y_test) / 5;
    taught += accuracy(student, held.select(weak), y_test) / 5;
  }
  CAPTURE(strong);
  CAPTURE(alone);
  CHECK(strong > 0.9);
  CHECK(taught > alone + 0.05);
}

TEST_CASE("prototypes: centres are means, logits are squared distances") {
  const Tensor z = tensor({{0, 0}, {2, 0}, {0, 4}}, f64);
  const std::vector<std::int64_t> y = {0, 0, 1};
  const fusion::Prototypes head(z, y, 2, {.normalize = false, .temperature = 2});
  CHECK(numbers(head.centers) == std::vector<double>{1, 0, 0, 4});
  const std::vector<double> logits = numbers(head(tensor({{1, 1}}, f64)));
  CHECK(logits[0] == doctest::Approx(-0.5));
  CHECK(logits[1] == doctest::Approx(-(1 + 9) / 2.0));
  // On unit length only the direction counts; zeros stay zeros.
  const fusion::Prototypes directed(z, y, 2);
  CHECK(allclose(directed(tensor({{1, 1}}, f64)), directed(tensor({{50, 50}}, f64))));
  CHECK(numbers(directed.centers) == std::vector<double>{0.5, 0, 0, 1});
  CHECK(finite(directed(zeros({1, 2}, f64))));
  const auto report =
      testing::gradcheck([&](const std::vector<Tensor>& in) { return directed(in[0]); }, {randn({3, 2}, 0, 1, f64)});
  CHECK_MESSAGE(report, report.message);
  const auto making = [&](const std::vector<std::int64_t>& labels, fusion::PrototypesOptions o = {}) {
    return message([&] { fusion::Prototypes(z, labels, 2, o); });
  };
  CHECK(making({0, 1}) == "prototypes: embeddings [3, 2] for 2 labels");
  CHECK(making({0, 1, 2}) == "prototypes: a label is 2, classes are 0 to 1");
  CHECK(making({0, 0, 0}) == "prototypes: class 1 has no sample");
  CHECK(making({0, 1, 1}, {.temperature = 0}) == "prototypes: temperature is 0\n  help: choose a number above 0");
  CHECK(message([&] { directed(zeros({1, 3})); }) == "prototypes: embeddings [1, 3], centres [2, 2]");
}

TEST_CASE("prototypical_loss: cross-entropy over distances to the means of an episode") {
  // Centres 0 and 4 on a line; the query at 1 of class 7 has distances 1 and 9, the one at 4 of class 9 has 16 and 0.
  const Tensor z = unsqueeze(tensor({-1, 1, 4, 1, 4}, f64), 1);
  const std::vector<std::int64_t> y = {7, 7, 9, 7, 9};
  const data::Split episode{{0, 1, 2}, {3, 4}};
  const double at_one = std::log(1 + std::exp((1 - 9) / 2.0)), at_four = std::log(1 + std::exp(-16 / 2.0));
  const fusion::PrototypesOptions options{.normalize = false, .temperature = 2};
  CHECK(fusion::prototypical_loss(z, y, episode, options).item() == doctest::Approx((at_one + at_four) / 2));
  // The same from the head that these samples make, on directions as well.
  const Tensor x = randn({9, 4}, 0, 1, f64);
  const std::vector<std::int64_t> labels = {0, 1, 2, 0, 1, 2, 0, 1, 2};
  const data::Split halves{{0, 1, 2, 3, 5}, {4, 6, 7, 8}};
  const fusion::Prototypes head(data::take_rows(x, halves.train), std::vector<std::int64_t>{0, 1, 2, 0, 2}, 3,
                                {.temperature = 0.1});
  const Tensor by_head =
      cross_entropy(head(data::take_rows(x, halves.test)), from(std::vector<std::int64_t>{1, 0, 1, 2}));
  CHECK(fusion::prototypical_loss(x, labels, halves, {.temperature = 0.1}).item() == doctest::Approx(by_head.item()));
  const auto report = testing::gradcheck(  // to those that make the centres, too
      [&](const std::vector<Tensor>& in) { return fusion::prototypical_loss(in[0], labels, halves); }, {x});
  CHECK_MESSAGE(report, report.message);
  const auto asking = [&](const data::Split& split, fusion::PrototypesOptions o = {}) {
    return message([&] { fusion::prototypical_loss(z, y, split, o); });
  };
  CHECK(message([&] { fusion::prototypical_loss(z, {}, episode); }) ==
        "prototypical_loss: embeddings [5, 1] for 0 labels");
  CHECK(asking({{0}, {}}) ==
        "prototypical_loss: an episode of 1 samples to learn from and 0 to test on\n  help: draw one with "
        "few_shot_split()");
  CHECK(asking({{0, 5}, {1}}) == "prototypical_loss: the episode names row 5 of 5");
  CHECK(asking({{0}, {1, 2}}) == "prototypical_loss: class 9 has a sample to test on and none to learn from");
  CHECK(asking(episode, {.temperature = -1}) == "prototypes: temperature is -1\n  help: choose a number above 0");
}

TEST_CASE("within-class scaling: the spread within classes becomes the same in all directions") {
  manual_seed(5);
  // Classes far apart along the first axis and much spread along a slanted one.
  std::vector<std::int64_t> y;
  for (int i = 0; i < 400; ++i) y.push_back(i % 2 == 0 ? -3 : 8);
  const Tensor apart = to(unsqueeze(from(y), 1), f64) * tensor({1, 0}, f64);
  const Tensor z = apart + matmul(randn({400, 2}, 0, 1, f64), tensor({{0.1, 0}, {2, 3}}, f64));
  const fusion::WithinClassScaling scaling(z, y, {.shrinkage = 1e-9});
  const Tensor scaled = scaling(z);
  CHECK(scaled.shape() == Shape{400, 2});
  CHECK(allclose(mean(scaled, {0}), zeros({2}, f64)));
  std::vector<std::int64_t> one, other;
  for (std::int64_t i = 0; i < 400; ++i) (i % 2 == 0 ? one : other).push_back(i);
  Tensor within = zeros({2, 2}, f64);
  for (const auto& rows : {one, other}) {
    const Tensor part = data::take_rows(scaled, rows), centred = part - mean(part, {0}, true);
    within = within + matmul(t(centred), centred) / 398.0;
  }
  CHECK(allclose(within, eye(2, -1, f64), {.atol = 1e-6, .rtol = 1e-5}));
  // Shrunken all the way it is one factor for all directions.
  const fusion::WithinClassScaling even(z, y, {.shrinkage = 1});
  const std::vector<double> m = numbers(even.matrix);
  CHECK(m[0] == doctest::Approx(m[3]));
  CHECK(m[1] == 0);
  CHECK(m[2] == 0);
  const auto report =
      testing::gradcheck([&](const std::vector<Tensor>& in) { return scaling(in[0]); }, {randn({3, 2}, 0, 1, f64)});
  CHECK_MESSAGE(report, report.message);
  CHECK(fusion::WithinClassScaling(to(z, DType::float32), y)(to(z, DType::float32)).dtype() == DType::float32);
  const auto making = [&](const Tensor& x, const std::vector<std::int64_t>& labels,
                          fusion::WithinClassScalingOptions o = {}) {
    return message([&] { fusion::WithinClassScaling(x, labels, o); });
  };
  CHECK(making(z, {1}) == "within-class scaling: embeddings [400, 2] for 1 labels");
  CHECK(making(z, y, {.shrinkage = 0}) ==
        "within-class scaling: shrinkage is 0\n  help: choose a number above 0, up to 1");
  CHECK(making(tensor({{1, 2}, {3, 4}}, f64), {0, 1}) ==
        "within-class scaling: nothing varies within the 2 classes of 2 samples\n  help: give several samples of a "
        "class");
  CHECK(message([&] {
          scaling(zeros({1, 3}, f64));
        }) == "within-class scaling: embeddings [1, 3], learned from 2 features");
}

TEST_CASE("prototypes: an episode draws k of each class, as often each") {
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 30; ++i) labels.push_back(i % 3);
  std::vector<int> drawn(30);
  Generator g{1};
  for (int time = 0; time < 3000; ++time) {
    const data::Split split = fusion::few_shot_split(labels, 2, g);
    REQUIRE(split.train.size() == 6);
    REQUIRE(split.test.size() == 24);
    std::vector<int> classes(3);
    for (const std::int64_t i : split.train) {
      ++classes[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])];
      ++drawn[static_cast<std::size_t>(i)];
      CHECK(!std::binary_search(split.test.begin(), split.test.end(), i));
    }
    CHECK(classes == std::vector<int>{2, 2, 2});
  }
  for (const int n : drawn) CHECK(std::abs(n - 600) < 100);
  CHECK(message([&] { fusion::few_shot_split(labels, 0, g); }) == "few_shot_split: k is 0\n  help: choose 1 or more");
  CHECK(message([&] { fusion::few_shot_split(labels, 10, g); }) ==
        "few_shot_split: class 0 has 10, 10 to learn from leave none to test");
}

TEST_CASE("prototypes: frozen encoders tell classes apart that they were not trained on") {
  manual_seed(4);
  // Four classes at the corners of a square; two neighbours are common, and the direction that tells the rare ones
  // apart is learned from them.
  const auto draw = [](std::int64_t n, double up) {
    const Tensor y = randint(0, 2, {n}), side = unsqueeze(to(y, DType::float32) * 4.0 - 2.0, 1);
    const Tensor x = cat({side, full({n, 1}, up), zeros({n, 6})}, 1) + randn({n, 8});
    return std::pair(data::Modalities::complete({"x"}, {x}), y);
  };
  const auto [common, y] = draw(300, 0);
  const auto rare_rows = draw(200, 1);
  const Tensor target = y;
  const data::Modalities rows = common;
  const fusion::Classifier net =
      trained(rows, 80, [&](const fusion::Classifier& each) { return each.loss(each(rows), target); });
  const Tensor z = fusion::embed(net, rare_rows.first);
  CHECK(z.shape() == Shape{200, 8});
  CHECK(!z.requires_grad());
  const std::vector<std::int64_t> labels = to_vector<std::int64_t>(rare_rows.second);
  Generator g{2};
  double right = 0;
  for (int episode = 0; episode < 20; ++episode) {
    const data::Split split = fusion::few_shot_split(labels, 5, g);
    std::vector<std::int64_t> own;
    for (const std::int64_t i : split.train) own.push_back(labels[static_cast<std::size_t>(i)]);
    const fusion::Prototypes head(data::take_rows(z, split.train), own, 2);
    const Tensor said = argmax(head(data::take_rows(z, split.test)), 1);
    right += mean(to(eq(said, data::take_rows(rare_rows.second, split.test)), f64)).item() / 20;
  }
  CHECK(right > 0.9);
  const fusion::Classifier decides({.names = {"x"}, .encoders = {{"linear", {.in_features = 8}}}, .fusion = "late"});
  CHECK(message([&] { fusion::embed(decides, rows); }) ==
        "embed: \"late\" fuses decisions and has no features\n  help: choose a fusion of features, such as gate");
}

TEST_CASE("attention under incomplete input: modalities dropped while training pay off where they are missing later") {
  for (const std::string method : {"cross", "query", "transformer"}) {
    CAPTURE(method);
    double plainly = 0, with_gaps = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      manual_seed(seed);
      // The first tells the class plainly, so that who always has it need not listen to the others.
      const auto draw = [](std::int64_t n) {
        const Tensor y = randint(0, 2, {n}), sign = unsqueeze(to(y, DType::float32) * 2.0 - 1.0, 1);
        return std::pair(data::Modalities::complete(
                             {"plain", "faint", "fainter"},
                             {sign * 3.0 + randn({n, 2}), sign * 0.7 + randn({n, 4}), sign * 0.6 + randn({n, 4})}),
                         y);
      };
      const auto train_rows = draw(300), test_rows = draw(600);
      data::Modalities poor = test_rows.first;
      poor.present = expand(mask({{0, 1, 1}}), {600, 3});
      for (const double dropped : {0.0, 0.5}) {
        manual_seed(seed);
        fusion::ClassifierOptions options{.names = train_rows.first.names, .encoders = {}, .fusion = method};
        options.method.width = 8;
        for (const Tensor& f : train_rows.first.features)
          options.encoders.push_back({"mlp", {.in_features = f.size(1), .hidden = {16}}});
        fusion::Classifier net(options);
        optim::Adam optimizer(parameters(net), {.lr = 1e-2});
        Generator g{seed};
        for (int step = 0; step < 60; ++step) {
          net.loss(net(fusion::drop_modalities(train_rows.first, dropped, g)), train_rows.second).backward();
          optimizer.step();
          optimizer.zero_grad();
        }
        eval(net);
        (dropped > 0 ? with_gaps : plainly) += accuracy(net, poor, test_rows.second) / 3;
      }
    }
    CHECK(with_gaps > plainly + 0.02);
    CHECK(with_gaps > 0.9);
  }
}
