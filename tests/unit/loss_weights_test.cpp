#include <doctest/doctest.h>

#include <functional>

#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>

#include "layers_help.h"

using namespace weft;
using tests::normal;

namespace {

using Loss = std::function<Tensor(Reduction, const std::vector<std::int64_t>& rows)>;

const Tensor scores = normal({4, 3}, 1), others = normal({4, 3}, 2), third = normal({4, 3}, 3);
const Tensor shares = sigmoid(others), classes = from(std::vector<std::int64_t>{2, 0, 1, 2});
const Tensor sides = tensor({1, -1, -1, 1}, DType::float64), counts = floor(exp(others));
const Tensor many = from(std::vector<std::int64_t>{0, -1, 0, 1, 2, -1, 2, -1, 0, 0, 1, -1}, {4, 3});

Tensor at(const Tensor& x, const std::vector<std::int64_t>& rows) { return index_select(x, 0, from(rows)); }
Tensor line(const Tensor& x) { return select(x, 1, 0); }

}  // namespace

TEST_CASE("weights per sample: every loss takes them, and whole ones count as copies") {
  using Rows = std::vector<std::int64_t>;
  const std::vector<std::pair<const char*, Loss>> losses = {
      {"cross_entropy",
       [](Reduction r, const Rows& i) { return cross_entropy(at(scores, i), at(classes, i), {.reduction = r}); }},
      {"cross_entropy, smoothed",
       [](Reduction r, const Rows& i) {
         return cross_entropy(at(scores, i), at(classes, i), {.label_smoothing = 0.1, .reduction = r});
       }},
      {"nll_loss",
       [](Reduction r, const Rows& i) { return nll_loss(at(scores, i), at(classes, i), {.reduction = r}); }},
      {"mse_loss", [](Reduction r, const Rows& i) { return mse_loss(at(scores, i), at(others, i), r); }},
      {"l1_loss", [](Reduction r, const Rows& i) { return l1_loss(at(scores, i), at(others, i), r); }},
      {"huber_loss", [](Reduction r, const Rows& i) { return huber_loss(at(scores, i), at(others, i), 0.5, r); }},
      {"smooth_l1_loss",
       [](Reduction r, const Rows& i) { return smooth_l1_loss(at(scores, i), at(others, i), 0.5, r); }},
      {"binary_cross_entropy_with_logits",
       [](Reduction r, const Rows& i) { return binary_cross_entropy_with_logits(at(scores, i), at(shares, i), r); }},
      {"binary_cross_entropy",
       [](Reduction r, const Rows& i) {
         return binary_cross_entropy(sigmoid(at(scores, i)), at(shares, i), {.reduction = r});
       }},
      {"kl_div", [](Reduction r, const Rows& i) { return kl_div(at(scores, i), at(shares, i), false, r); }},
      {"poisson_nll_loss",
       [](Reduction r, const Rows& i) { return poisson_nll_loss(at(scores, i), at(counts, i), {.reduction = r}); }},
      {"gaussian_nll_loss",
       [](Reduction r, const Rows& i) {
         return gaussian_nll_loss(at(scores, i), at(others, i), at(shares, i), {.reduction = r});
       }},
      {"margin_ranking_loss",
       [](Reduction r, const Rows& i) {
         return margin_ranking_loss(at(line(scores), i), at(line(others), i), at(sides, i), 0.3, r);
       }},
      {"hinge_embedding_loss",
       [](Reduction r, const Rows& i) { return hinge_embedding_loss(at(line(scores), i), at(sides, i), 1, r); }},
      {"soft_margin_loss",
       [](Reduction r, const Rows& i) { return soft_margin_loss(at(line(scores), i), at(sides, i), r); }},
      {"cosine_embedding_loss",
       [](Reduction r, const Rows& i) {
         return cosine_embedding_loss(at(scores, i), at(others, i), at(sides, i), 0, r);
       }},
      {"triplet_margin_loss",
       [](Reduction r, const Rows& i) {
         return triplet_margin_loss(at(scores, i), at(others, i), at(third, i), {.reduction = r});
       }},
      {"multi_margin_loss",
       [](Reduction r, const Rows& i) { return multi_margin_loss(at(scores, i), at(classes, i), {.reduction = r}); }},
      {"multilabel_margin_loss",
       [](Reduction r, const Rows& i) { return multilabel_margin_loss(at(scores, i), at(many, i), r); }},
      {"multilabel_soft_margin_loss",
       [](Reduction r, const Rows& i) {
         return multilabel_soft_margin_loss(at(scores, i), at(shares, i), Tensor(), r);
       }},
      {"ctc_loss",
       [](Reduction r, const Rows& i) {
         const std::vector<std::int64_t> steps(i.size(), 3), labels(i.size(), 1);
         const Tensor x = log_softmax(stack({at(scores, i), at(others, i), at(third, i)}), 2);  // (T, B, C)
         return ctc_loss(x, unsqueeze(from(std::vector<std::int64_t>(i.size(), 1)), 1), steps, labels,
                         {.reduction = r});
       }},
  };
  // Weights 1, 3, 0, 2 are one copy of row 0, three of row 1, none of row 2, two of row 3.
  for (const auto& [name, loss] : losses) {
    const Tensor got = weighted_mean(loss(Reduction::none, {0, 1, 2, 3}), tensor({1, 3, 0, 2}));
    const Tensor copies = loss(Reduction::mean, {0, 1, 1, 1, 3, 3});
    CHECK_MESSAGE(got.item() == doctest::Approx(copies.item()), name);
    CHECK_MESSAGE(weighted_mean(loss(Reduction::none, {0, 1, 2, 3}), tensor({5, 5, 5, 5})).item() ==
                      doctest::Approx(loss(Reduction::mean, {0, 1, 2, 3}).item()),
                  name);
  }
}

TEST_CASE("weights per class are weights per sample, too") {
  const Tensor weight = tensor({0.5, 1, 3}, DType::float64);
  const Tensor rows = cross_entropy(scores, classes, {.reduction = Reduction::none});
  CHECK(weighted_mean(rows, index_select(weight, 0, classes)).item() ==
        doctest::Approx(cross_entropy(scores, classes, {.weight = weight}).item()));
}

TEST_CASE("label smoothing: this share of the target is spread over all classes") {
  const Tensor log_p = log_softmax(scores, 1), target = to(one_hot(classes, 3), DType::float64) * 0.9 + 0.1 / 3;
  CHECK(cross_entropy(scores, classes, {.label_smoothing = 0.1}).item() ==
        doctest::Approx(mean(neg(sum(log_p * target, 1))).item()));
}
