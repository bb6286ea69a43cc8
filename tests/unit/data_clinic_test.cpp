#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <set>

#include <weft/data/clinic.h>
#include <weft/data/statistics.h>
#include <weft/tensor/parallel.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;

namespace {

using Reals = std::vector<double>;

const Clinic& big() {
  static const Clinic c = simulate_clinic({.patients = 6000, .seed = 11});
  return c;
}

/// The bits of everything in it.
std::vector<Tensor> tensors(const Clinic& c) {
  std::vector<Tensor> all = c.evidence.features;
  for (const Tensor& x :
       {c.evidence.present, c.tokens, c.quality, c.reliability, c.probability, c.probability_with_edges})
    all.push_back(x);
  return all;
}
bool same_bits(const Clinic& a, const Clinic& b) {
  const std::vector<Tensor> x = tensors(a), y = tensors(b);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Reals p = to_vector<double>(x[i]), q = to_vector<double>(y[i]);
    // NaN stands for what is missing, in both.
    if (!std::ranges::equal(p, q, [](double u, double v) { return u == v || (std::isnan(u) && std::isnan(v)); }))
      return false;
  }
  return a.diagnosis == b.diagnosis && a.group == b.group && a.notes == b.notes && a.edges == b.edges &&
         to_csv(a.laboratory) == to_csv(b.laboratory);
}

double at(const Tensor& x, std::size_t row, std::size_t column) {
  return x.data<double>()[row * static_cast<std::size_t>(x.size(1)) + column];
}
double accuracy_of(const Clinic& c, const Tensor& probability) {
  double right = 0;
  for (std::size_t i = 0; i < c.diagnosis.size(); ++i)
    right += (probability.data<double>()[i] > 0.5) == (c.diagnosis[i] == 1) ? 1 : 0;
  return right / static_cast<double>(c.diagnosis.size());
}
/// Mean of |x[t + 1] - x[t]| of a row: how rough it is.
double roughness(const Tensor& x, std::int64_t row) {
  const std::int64_t width = x.numel() / x.size(0);
  const float* v = x.data<float>() + row * width;
  double sum = 0;
  for (std::int64_t t = 0; t + 1 < width; ++t) sum += std::abs(v[t + 1] - v[t]);
  return sum / static_cast<double>(width - 1);
}

}  // namespace

TEST_CASE("clinic: one seed gives one clinic, whatever the threads, and a larger one begins alike") {
  const ClinicOptions o{.patients = 60, .seed = 3, .missing = ClinicMissing::not_random};
  const Clinic c = simulate_clinic(o);
  const int before = num_threads();
  set_num_threads(1);
  const Clinic alone = simulate_clinic(o);
  set_num_threads(before);
  CHECK(same_bits(c, alone));
  ClinicOptions other = o;
  other.seed = 4;
  CHECK_FALSE(same_bits(c, simulate_clinic(other)));
  other = o;
  other.patients = 90;
  const Clinic larger = simulate_clinic(other);
  CHECK(std::vector<std::string>(larger.notes.begin(), larger.notes.begin() + 60) == c.notes);
  for (std::size_t k = 0; k < 60 * 4; ++k)
    CHECK(larger.reliability.data<double>()[k] == c.reliability.data<double>()[k]);
}

TEST_CASE("clinic: shapes, classes and groups") {
  const Clinic& c = big();
  c.evidence.check();
  CHECK(c.evidence.names == std::vector<std::string>{"image", "ecg", "note", "laboratory"});
  const auto words = static_cast<std::int64_t>(Clinic::words().size());
  CHECK(c.evidence.features[0].shape() == Shape{6000, 1, 16, 16});
  CHECK(c.evidence.features[1].shape() == Shape{6000, 1, 128});
  CHECK(c.evidence.features[2].shape() == Shape{6000, words});
  CHECK(c.evidence.features[3].shape() == Shape{6000, 12});
  CHECK(std::ranges::is_sorted(Clinic::words()));
  CHECK(std::ranges::count(c.diagnosis, 1) == doctest::Approx(3000).epsilon(0.05));
  for (std::int64_t g = 0; g < 3; ++g) CHECK(std::ranges::count(c.group, g) == doctest::Approx(2000).epsilon(0.07));
  for (const bool has : truths(c.evidence.present)) REQUIRE(has);
}

TEST_CASE("clinic: tokens, counts and text of a note say the same") {
  const Clinic& c = big();
  const std::int64_t words = c.evidence.features[2].size(1), longest = c.tokens.size(1);
  for (std::size_t i = 0; i < 200; ++i) {
    std::string text = c.notes[i];
    std::erase(text, '.');
    std::ranges::transform(text, text.begin(),
                           [](char ch) { return ch >= 'A' && ch <= 'Z' ? char(ch - 'A' + 'a') : ch; });
    std::string told;
    std::vector<float> counts(static_cast<std::size_t>(words));
    for (std::int64_t k = 0; k < longest; ++k) {
      const std::int64_t token = c.tokens.data<std::int64_t>()[static_cast<std::int64_t>(i) * longest + k];
      if (token == 0) continue;
      const auto place = static_cast<std::size_t>(token - 1);
      told += (told.empty() ? "" : " ") + Clinic::words()[place];
      ++counts[place];
    }
    CHECK(told == text);
    const float* own = c.evidence.features[2].data<float>() + static_cast<std::int64_t>(i) * words;
    CHECK(std::vector<float>(own, own + words) == counts);
    CHECK(text.find("referred for " + Clinic::groups()[static_cast<std::size_t>(c.group[i])]) == 0);
  }
}

TEST_CASE("clinic: quality can be seen in the evidence") {
  const Clinic& c = big();
  Reals blur_rough, blur_quality, noise_rough, noise_quality;
  for (std::size_t i = 0; i < 2000; ++i) {
    // Sharp edges and noise both make a picture rough; noise is the same in all pictures.
    blur_rough.push_back(roughness(c.evidence.features[0], static_cast<std::int64_t>(i)));
    blur_quality.push_back(at(c.quality, i, 0));
    noise_rough.push_back(roughness(c.evidence.features[1], static_cast<std::int64_t>(i)));
    noise_quality.push_back(at(c.quality, i, 1));
    double measured = 0;
    const float* lab = c.evidence.features[3].data<float>() + 12 * i;
    for (int k = 6; k < 12; ++k) measured += lab[k];
    CHECK(measured / 6 == doctest::Approx(at(c.quality, i, 3)));
    for (std::size_t k = 0; k < 6; ++k) CHECK(c.laboratory.columns[k].missing(std::int64_t(i)) == (lab[6 + k] == 0));
    int vague = 0;
    for (const char* word : {"not asked", "unknown", "unclear", "unrecorded", "unmentioned"})
      vague += contains(c.notes[i], word);
    CHECK(1 - vague / 5.0 == doctest::Approx(at(c.quality, i, 2)));
  }
  const auto mean_where = [](const Reals& x, const Reals& q, double low, double high) {
    double sum = 0, n = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (q[i] >= low && q[i] <= high) sum += x[i], ++n;
    return sum / n;
  };
  // The noise of a signal falls six-fold from the worst to the best.
  CHECK(mean_where(noise_rough, noise_quality, 0, 0) > 4 * mean_where(noise_rough, noise_quality, 1, 1));
  CHECK(mean_where(blur_rough, blur_quality, 0, 0.2) < mean_where(blur_rough, blur_quality, 0.8, 1));
}

TEST_CASE("clinic: reliability is how often a reader is right") {
  const Clinic& c = big();
  // Whoever reads a note counts what speaks for ill: right as often as the reliability says, by level of quality.
  std::array<double, 6> right{}, expected{}, n{};
  for (std::size_t i = 0; i < c.diagnosis.size(); ++i) {
    const std::string& s = c.notes[i];
    int balance = 0;
    for (const char* ill : {"Breathless", "Lost", "badly", "Poor", "Woke"}) balance += contains(s, ill);
    for (const char* well : {"Climbs", "steady", "soundly", "Good", "dry"}) balance -= contains(s, well);
    const auto level = static_cast<std::size_t>(std::lround(5 * at(c.quality, i, 2)));
    right[level] += balance == 0 ? 0.5 : (balance > 0) == (c.diagnosis[i] == 1);
    expected[level] = at(c.reliability, i, 2);
    n[level] += 1;
  }
  CHECK(expected[0] == 0.5);
  CHECK(expected[1] == doctest::Approx(0.7));
  CHECK(expected[5] == doctest::Approx(0.83692));  // 10 * .7^3 .3^2 + 5 * .7^4 .3 + .7^5
  for (std::size_t k = 1; k < 6; ++k) {
    const double error = std::sqrt(expected[k] * (1 - expected[k]) / n[k]);
    CHECK(std::abs(right[k] / n[k] - expected[k]) < 4 * error);
  }
  // Whoever reads the values, knowing which count most: the sign of the weighed sum.
  const std::array<double, 6> shift = {1.2, -0.9, 0.6, 1.5, 1.8, -2.1};
  double sum = 0, wanted = 0;
  for (std::size_t i = 0; i < c.diagnosis.size(); ++i) {
    const float* lab = c.evidence.features[3].data<float>() + 12 * i;
    double evidence = 0;
    for (std::size_t k = 0; k < 6; ++k) evidence += shift[k] * lab[k];
    sum += (evidence > 0) == (c.diagnosis[i] == 1);
    wanted += at(c.reliability, i, 3);
  }
  CHECK(std::abs(sum - wanted) < 4 * std::sqrt(6000 * 0.25));
  // Relevance: an image tells more about a cough, a signal about palpitations, values about fatigue; and the best of a
  // group more than its worst.
  for (std::size_t i = 0; i < 500; ++i)
    for (const std::size_t m : {0U, 1U, 3U}) {
      const bool relevant = c.group[i] == (m == 3 ? 2 : static_cast<std::int64_t>(m));
      CHECK(at(c.reliability, i, m) >= 0.5);
      CHECK(at(c.reliability, i, m) < (relevant ? 0.95 : 0.65));
    }
}

TEST_CASE("clinic: the best rule reaches the best accuracy, with all that there is and with gaps") {
  for (const ClinicMissing missing : {ClinicMissing::none, ClinicMissing::random, ClinicMissing::not_random}) {
    const ClinicOptions o{.patients = 6000, .seed = 11, .missing = missing};
    const Clinic c = missing == ClinicMissing::none ? big() : simulate_clinic(o);
    const double best = clinic_best_accuracy(o), own = accuracy_of(c, c.probability);
    CHECK(std::abs(own - best) < 4 * std::sqrt(best * (1 - best) / 6000));
    // The probabilities mean what they say: of those between 0.6 and 0.8, about 0.7 are ill.
    double said = 0, ill = 0, n = 0;
    for (std::size_t i = 0; i < c.diagnosis.size(); ++i) {
      const double p = c.probability.data<double>()[i];
      if (p < 0.6 || p > 0.8) continue;
      said += p, ill += static_cast<double>(c.diagnosis[i]), ++n;
    }
    CHECK(std::abs(ill - said) < 4 * std::sqrt(0.25 * n));
    CHECK(accuracy_of(c, c.probability_with_edges) > own + 0.05);
  }
}

TEST_CASE("clinic: best accuracies of parts: less than of all, and of one modality its mean reliability or less") {
  const ClinicOptions o{};
  const double all = clinic_best_accuracy(o);
  CHECK(all == clinic_best_accuracy(o, big().evidence.names));
  CHECK(all > 0.86);
  CHECK(all < 0.88);
  for (std::size_t m = 0; m < 4; ++m) {
    const double alone = clinic_best_accuracy(o, std::vector{big().evidence.names[m]});
    CHECK(alone < all - 0.1);
    double mean = 0;
    for (std::size_t i = 0; i < 6000; ++i) mean += at(big().reliability, i, m) / 6000;
    CHECK(alone == doctest::Approx(mean).epsilon(0.01));
  }
}

TEST_CASE("clinic: who lacks what, at random and not") {
  const auto rates = [](ClinicMissing missing) {
    const Clinic c = simulate_clinic({.patients = 4000, .seed = 2, .missing = missing, .missing_rate = 0.4});
    std::array<double, 2> lacking{}, n{};
    for (std::size_t i = 0; i < c.diagnosis.size(); ++i)
      for (std::size_t m = 0; m < 4; ++m) {
        const bool has = c.evidence.present.data<bool>()[4 * i + m];
        const auto y = static_cast<std::size_t>(c.diagnosis[i]);
        lacking[y] += !has, n[y] += 1;
        const Tensor& x = c.evidence.features[m];
        CHECK(std::isnan(x.data<float>()[static_cast<std::int64_t>(i) * (x.numel() / x.size(0))]) == !has);
        if (has) continue;
        CHECK(at(c.reliability, i, m) == 0.5);
        CHECK(at(c.quality, i, m) == 0);
        if (m == 2) CHECK(c.notes[i].empty());
        if (m == 3) CHECK(c.laboratory.columns[0].missing(std::int64_t(i)));
      }
    return std::array{lacking[0] / n[0], lacking[1] / n[1]};  // well, ill
  };
  const auto random = rates(ClinicMissing::random), chosen = rates(ClinicMissing::not_random);
  CHECK(std::abs(random[0] - 0.4) < 0.025);
  CHECK(std::abs(random[1] - 0.4) < 0.025);
  CHECK(std::abs(chosen[0] - 0.6) < 0.025);
  CHECK(std::abs(chosen[1] - 0.2) < 0.025);
}

TEST_CASE("clinic: those found alike mostly share a diagnosis") {
  const Clinic& c = big();
  double same = 0;
  for (const auto& [i, j] : c.edges) {
    REQUIRE(i < j);
    same += c.diagnosis[static_cast<std::size_t>(i)] == c.diagnosis[static_cast<std::size_t>(j)];
  }
  const auto n = static_cast<double>(c.edges.size());
  CHECK(n > 17500);
  CHECK(std::abs(same / n - 0.8) < 0.015);
  CHECK(std::ranges::is_sorted(c.edges));
}

TEST_CASE("clinic: bad options are refused") {
  CHECK(message<ConfigError>([] { simulate_clinic({.patients = 3}); }) ==
        "clinic: 3 patients\n  help: choose from 4 to 10000000");
  CHECK(message<ConfigError>([] { simulate_clinic({.missing_rate = 0.7}); }) ==
        "clinic: missing_rate is 0.7\n  help: choose one from 0 to 0.6");
  CHECK(message<ConfigError>([] { clinic_best_accuracy({}, std::vector<std::string>{"imago"}); }) ==
        "clinic: there is no modality \"imago\"; the closest name is \"image\"");
}
