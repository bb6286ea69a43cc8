#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/data/survival.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Index = std::vector<std::int64_t>;
using Reals = std::vector<double>;

namespace {

/// Six months of six patients: two die in month 3, where a third is lost.
const Reals months = {1, 3, 3, 3, 5, 6};
const Index died = {1, 1, 1, 0, 1, 0};

/// By its definition, over all pairs.
Concordance by_pairs(const Reals& time, const Index& event, const Reals& risk) {
  Concordance out;
  for (std::size_t i = 0; i < time.size(); ++i)
    for (std::size_t j = 0; j < time.size(); ++j) {
      if (!event[i] || !(time[j] > time[i] || (time[j] == time[i] && !event[j]))) continue;
      ++(risk[i] > risk[j] ? out.concordant : risk[i] < risk[j] ? out.discordant : out.tied);
    }
  return out;
}

}  // namespace

TEST_CASE("concordance: by hand, with ties in time and in risk") {
  // Pairs: 1 before five others; the two of month 3 before the lost one, month 5 and 6; month 5 before 6.
  const Concordance best = concordance(months, died, Reals{9, 8, 7, 3, 2, 1});
  CHECK(best.concordant == 12);
  CHECK(best.index() == 1);
  const Concordance some = concordance(months, died, Reals{2, 5, 2, 2, 7, 1});
  CHECK(some.concordant == 1 + 2 + 1 + 1);  // 2 > 1; 5 > 2 and 1; 2 > 1; 7 > 1
  CHECK(some.tied == 2 + 1);
  CHECK(some.discordant == 2 + 1 + 1);
  CHECK(some.index() == doctest::Approx(6.5 / 12));
  CHECK(concordance_index(months, died, Reals{0, 0, 0, 0, 0, 0}) == 0.5);
}

TEST_CASE("concordance: the fast count is that of all pairs") {
  Generator g{.seed = 3};
  for (const std::int64_t n : {2, 7, 40, 150}) {
    const auto draw = [&](double values) {
      Reals out = to_vector<double>(rand({n}, 0, values, DType::float64, g));
      for (double& v : out) v = std::floor(v);
      return out;
    };
    const Reals time = draw(static_cast<double>(n) / 3), risk = draw(10), coin = draw(2);
    Index event(coin.begin(), coin.end());
    event[0] = 1;
    const Concordance expected = by_pairs(time, event, risk);
    if (expected.concordant + expected.discordant + expected.tied == 0) continue;
    const Concordance got = concordance(time, event, risk);
    CHECK(got.concordant == expected.concordant);
    CHECK(got.discordant == expected.discordant);
    CHECK(got.tied == expected.tied);
  }
}

TEST_CASE("concordance: its interval") {
  Reals time, risk;
  Index event;
  Generator g{.seed = 1};
  const Reals noise = to_vector<double>(randn({200}, 0, 1, DType::float64, g));
  for (int i = 0; i < 200; ++i) {
    time.push_back(i);
    event.push_back(i % 3 != 0);
    risk.push_back(-i / 100.0 + noise[static_cast<std::size_t>(i)]);
  }
  const Interval i = concordance_interval(time, event, risk, {.resamples = 400});
  CHECK(i.estimate == concordance_index(time, event, risk));
  CHECK(i.low < i.estimate);
  CHECK(i.high > i.estimate);
  CHECK(i.high - i.low > 0.03);
  CHECK(i.high - i.low < 0.15);
}

TEST_CASE("Kaplan-Meier: by hand") {
  const SurvivalCurve c = kaplan_meier(months, died);
  CHECK(c.time == Reals{1, 3, 5});
  CHECK(c.at_risk == Index{6, 5, 2});
  CHECK(c.events == Index{1, 2, 1});
  CHECK(c.survival[0] == doctest::Approx(5. / 6));
  CHECK(c.survival[1] == doctest::Approx(5. / 6 * 3 / 5));
  CHECK(c.survival[2] == doctest::Approx(5. / 6 * 3 / 5 / 2));
  CHECK(c.last == 6);
  CHECK(c.at(0.5) == 1);
  CHECK(c.at(3) == c.survival[1]);
  CHECK(c.at(4.9) == c.survival[1]);
  CHECK(c.median() == 3);
  const auto [x, y] = c.corners();
  CHECK(x == Reals{0, 1, 1, 3, 3, 5, 5, 6});
  CHECK(y == Reals{1, 1, c.survival[0], c.survival[0], c.survival[1], c.survival[1], c.survival[2], c.survival[2]});
  // Greenwood at month 3: the variance of log S is 1 / (6 * 5) + 2 / (5 * 3).
  const double s = 0.5, spread = 1.959963984540054 * std::sqrt(1. / 30 + 2. / 15) / std::log(2);
  CHECK(c.low[1] == doctest::Approx(std::pow(s, std::exp(spread))));
  CHECK(c.high[1] == doctest::Approx(std::pow(s, std::exp(-spread))));
  const SurvivalCurve all_dead = kaplan_meier(Reals{1, 2}, Index{1, 1});
  CHECK(all_dead.survival.back() == 0);
  CHECK(std::isnan(all_dead.low.back()));
  CHECK(kaplan_meier(Reals{1, 2}, Index{0, 0}).time.empty());
  CHECK(std::isinf(kaplan_meier(Reals{1, 2}, Index{0, 0}).median()));
}

TEST_CASE("log-rank: by hand") {
  // Times 1 and 2 die in group 1, 3 and 4 in group 0. Expected in group 1: 2/4 + 1/3; variance: 1/4 + 2/9.
  const LogRank r = log_rank(Reals{1, 2, 3, 4}, Index{1, 1, 1, 1}, Index{1, 1, 0, 0});
  const double excess = 2 - 5. / 6, variance = 1. / 4 + 2. / 9;
  CHECK(r.statistic == doctest::Approx(excess * excess / variance));
  CHECK(r.p_value == doctest::Approx(std::erfc(excess / std::sqrt(2 * variance))));
}

TEST_CASE("baseline hazard: with equal risks it is Nelson and Aalen's, and risks shift it") {
  const BaselineHazard h = BaselineHazard::fit(months, died, Reals(6, 0.0));
  CHECK(h.time == Reals{1, 3, 5});
  CHECK(h.hazard[0] == doctest::Approx(1. / 6));
  CHECK(h.hazard[1] == doctest::Approx(1. / 6 + 2. / 5));
  CHECK(h.at(0.9) == 0);
  CHECK(h.survival(4, 0) == doctest::Approx(std::exp(-(1. / 6 + 2. / 5))));
  CHECK(h.survival(4, std::log(2)) == doctest::Approx(std::exp(-2 * (1. / 6 + 2. / 5))));
  const Reals risk = {1, 0.5, -1, 0, 2, -2};
  Reals far = risk;
  for (double& r : far) r += 900;  // exp(900) overflows
  const BaselineHazard near_zero = BaselineHazard::fit(months, died, risk),
                       far_off = BaselineHazard::fit(months, died, far);
  CHECK(near_zero.hazard[1] ==
        doctest::Approx(1 / (std::exp(1) + std::exp(0.5) + std::exp(-1) + 1 + std::exp(2) + std::exp(-2)) +
                        2 / (std::exp(0.5) + std::exp(-1) + 1 + std::exp(2) + std::exp(-2))));
  CHECK(std::isfinite(far_off.hazard[1]));
}

TEST_CASE("cox_loss: by hand, with ties") {
  const Tensor time = tensor({1, 3, 3, 3, 5, 6}), event = tensor({1, 1, 1, 0, 1, 0});
  const Tensor zero = zeros({6}, DType::float64);
  const auto loss = [&](const Tensor& r, Ties ties) {
    return cox_loss(r, time, event, {.ties = ties, .reduction = Reduction::sum}).item();
  };
  // All risks equal: 6 at risk in month 1, 5 in month 3 with two events, 2 in month 5.
  CHECK(loss(zero, Ties::breslow) == doctest::Approx(std::log(6. * 5 * 5 * 2)));
  CHECK(loss(zero, Ties::efron) == doctest::Approx(std::log(6. * 5 * (5 - 1) * 2)));
  // The two who die in month 3 have risk 3 and 2, the others 1.
  const Tensor r = log(tensor({1, 3, 2, 1, 1, 1}, DType::float64));
  CHECK(loss(r, Ties::breslow) == doctest::Approx(std::log(9. * 8 * 8 * 2 / (3 * 2))));
  CHECK(loss(r, Ties::efron) == doctest::Approx(std::log(9. * 8 * (8 - 2.5) * 2 / (3 * 2))));
  CHECK(cox_loss(r, time, event).item() == doctest::Approx(loss(r, Ties::efron) / 4));
  // Risks count relative to each other only; weights without ties count as copies.
  CHECK(loss(r + 700, Ties::efron) == doctest::Approx(loss(r, Ties::efron)));
  const Tensor weighted = cox_loss(tensor({0.3, -0.2, 0.1}, DType::float64), tensor({1, 2, 3}), tensor({0, 1, 0}),
                                   {.weight = tensor({1, 1, 2}), .reduction = Reduction::sum});
  const Tensor copied = cox_loss(tensor({0.3, -0.2, 0.1, 0.1}, DType::float64), tensor({1, 2, 3, 3}),
                                 tensor({0, 1, 0, 0}), {.reduction = Reduction::sum});
  CHECK(weighted.item() == doctest::Approx(copied.item()));
}

TEST_CASE("cox_loss: a batch without an event has loss and gradient 0, and types stay") {
  Tensor r = tensor({1, 2, 3}).set_requires_grad();
  const Tensor loss = cox_loss(r, tensor({1, 2, 3}), zeros({3}));
  CHECK(loss.item() == 0);
  CHECK(loss.dtype() == DType::float32);
  loss.backward();
  CHECK(to_vector<double>(r.grad()) == Reals{0, 0, 0});
  Tensor lone = tensor({1, 2, 3}, DType::float64).set_requires_grad();
  cox_loss(lone, tensor({1, 2, 3}), tensor({1, 1, 1}), {.weight = tensor({0, 1, 1})}).backward();
  CHECK(to_vector<double>(lone.grad())[0] == 0);
  CHECK(std::isfinite(to_vector<double>(lone.grad())[1]));
}

TEST_CASE("survival: messages") {
  const auto at = [](Reals t, Index e, Reals r) { return message<Error>([&] { concordance_index(t, e, r); }); };
  CHECK(at({1, 2}, {1}, {1, 2}) == "concordance_index: there are 2 times, 1 events");
  CHECK(at({1, 2}, {1, 0}, {1}) == "concordance_index: there are 2 times, 1 risks");
  CHECK(at({}, {}, {}) == "concordance_index: there are no samples");
  CHECK(at({1, NAN}, {1, 0}, {1, 1}) == "concordance_index: time 1 is not a number");
  CHECK(at({1, 2}, {1, 0}, {1, NAN}) == "concordance_index: risk 1 is not a number");
  CHECK(at({1, 2}, {1, 3}, {1, 1}) == "concordance_index: event 1 is 3\n  help: pass 1 for an event, 0 for censored");
  CHECK(at({1, 2}, {0, 1}, {1, 1}) ==
        "concordance_index: of 2 samples no two can be compared\n  help: see that there are events with somebody known "
        "to live longer");
  CHECK(message<ConfigError>([] { kaplan_meier(Reals{1}, Index{1}, 1); }) == "kaplan_meier: level 1 is not in (0, 1)");
  CHECK(message<ShapeError>([] { log_rank(Reals{1}, Index{1}, Index{}); }) == "log_rank: there are 1 times, 0 groups");
  CHECK(message<ConfigError>([] { log_rank(Reals{1}, Index{1}, Index{2}); }) ==
        "log_rank: group 0 is 2\n  help: number the two groups 0 and 1");
  CHECK(message<ConfigError>([] {
          log_rank(Reals{1, 2}, Index{1, 1}, Index{1, 1});
        }) == "log_rank: no event meets both groups");
  CHECK(message<ConfigError>([] { BaselineHazard::fit(Reals{1}, Index{1}, Reals{INFINITY}); }) ==
        "baseline_hazard: the largest log risk is inf");
}
