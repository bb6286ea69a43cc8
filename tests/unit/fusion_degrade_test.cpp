#include <algorithm>
#include <cmath>

#include <weft/fusion/degrade.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;
using fusion::Damage;

namespace {

constexpr std::int64_t rows = 2000;

/// Many samples; c is missing for every other one.
data::Modalities many() {
  std::vector<std::vector<int>> present;
  for (std::int64_t i = 0; i < rows; ++i) present.push_back({1, 1, i % 2 == 0});
  return abc(present);
}

/// Whether row i of both is the same, NaN counting as the same.
bool same_row(const Tensor& x, const Tensor& y, std::int64_t i) {
  const std::vector<double> a = numbers(select(x, 0, i)), b = numbers(select(y, 0, i));
  for (std::size_t j = 0; j < a.size(); ++j)
    if (!(a[j] == b[j] || (std::isnan(a[j]) && std::isnan(b[j])))) return false;
  return true;
}

/// How many rows of each modality differ.
std::vector<int> changed(const data::Modalities& a, const data::Modalities& b) {
  std::vector<int> n(3);
  for (std::size_t m = 0; m < 3; ++m)
    for (std::int64_t i = 0; i < a.batch(); ++i) n[m] += !same_row(a.features[m], b.features[m], i);
  return n;
}

}  // namespace

TEST_CASE("degrade: scales are those of the rows that have the modality") {
  data::Modalities in = abc({{1, 1, 1}, {1, 0, 0}, {1, 1, 0}});
  in.features[1] = tensor({{1, 2}, {1e9, std::nan("")}, {3, 6}}, DType::float64);
  const fusion::Scales scales = fusion::measure(in);
  CHECK(numbers(scales.mean[1]) == std::vector<double>{2, 4});
  CHECK(numbers(scales.deviation[1]) == std::vector<double>{1, 2});
  CHECK(numbers(scales.deviation[2]) == std::vector<double>{0, 0, 0, 0});  // one row only
}

TEST_CASE("degrade: the chosen share of samples, one present modality each, the original untouched") {
  const data::Modalities in = many(), kept = in.rows(in.present_rows(0));
  const fusion::Scales scales = fusion::measure(in);
  Generator g{5};
  const data::Modalities out = fusion::degrade(in, scales, {.probability = 0.6}, g);
  CHECK(changed(in, kept) == std::vector<int>{0, 0, 0});
  CHECK(same(in.present, out.present));
  const std::vector<int> n = changed(in, out);
  // Half of the samples choose between two modalities, half between three: 0.6 * (1/2 + 1/3) / 2 and 0.6 / 6.
  CHECK(n[0] / static_cast<double>(rows) == doctest::Approx(0.25).epsilon(0.12));
  CHECK(n[1] / static_cast<double>(rows) == doctest::Approx(0.25).epsilon(0.12));
  CHECK(n[2] / static_cast<double>(rows) == doctest::Approx(0.1).epsilon(0.2));
  for (std::int64_t i = 0; i < rows; ++i) {
    int here = 0;
    for (std::size_t m = 0; m < 3; ++m) here += !same_row(in.features[m], out.features[m], i);
    CHECK(here <= 1);
  }
  // The same generator, the same damage; probability 0, none.
  Generator again{5};
  CHECK(changed(out, fusion::degrade(in, scales, {.probability = 0.6}, again)) == std::vector<int>{0, 0, 0});
  CHECK(changed(in, fusion::degrade(in, scales, {.probability = 0}, g)) == std::vector<int>{0, 0, 0});
}

TEST_CASE("degrade: each kind of damage does what it says, to present rows only") {
  const data::Modalities in = many();
  const fusion::Scales scales = fusion::measure(in);
  Generator g{5};
  const data::Modalities noised = fusion::degrade_modality(in, scales, 0, Damage::noise, 2, g);
  CHECK(changed(in, noised) == std::vector<int>{rows, 0, 0});
  const Tensor added = noised.features[0] - in.features[0];
  CHECK(std::sqrt(mean(square(added)).item()) == doctest::Approx(2).epsilon(0.05));
  CHECK(changed(in, fusion::degrade_modality(in, scales, 0, Damage::noise, 0, g)) == std::vector<int>{0, 0, 0});

  fusion::Scales shifted = scales;
  shifted.mean[2] = full({4}, 100, DType::float64);
  const data::Modalities replaced = fusion::degrade_modality(in, shifted, 2, Damage::replace, 0, g);
  CHECK(changed(in, replaced) == std::vector<int>{0, 0, rows / 2});
  const Tensor c = index_select(replaced.features[2], 0, from(in.present_rows(2)));
  CHECK(mean(c).item() == doctest::Approx(100).epsilon(0.01));
  CHECK(std::sqrt(var(c).item()) == doctest::Approx(1).epsilon(0.05));

  // A shuffled row is that of another sample that has the modality.
  const data::Modalities shuffled = fusion::degrade_modality(in, scales, 2, Damage::shuffle, 0, g);
  CHECK(changed(in, shuffled) == std::vector<int>{0, 0, rows / 2});
  CHECK(finite(index_select(shuffled.features[2], 0, from(in.present_rows(2)))));
  const std::vector<double> before = numbers(in.features[2]);
  const double value = numbers(shuffled.features[2])[0];
  CHECK(std::find(before.begin(), before.end(), value) != before.end());
  // Alone, there is nobody to take from.
  const data::Modalities one = in.rows(std::vector<std::int64_t>{0});
  CHECK(changed(one, fusion::degrade_modality(one, scales, 0, Damage::shuffle, 0, g)) == std::vector<int>{0, 0, 0});
}

TEST_CASE("drop_modalities: as often as asked, but never a sample's last one") {
  const data::Modalities in = many();
  Generator g{5};
  const data::Modalities out = fusion::drop_modalities(in, 0.4, g);
  CHECK(changed(in, out) == std::vector<int>{0, 0, 0});
  int kept = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    int here = 0;
    for (int m = 0; m < 3; ++m) {
      here += out.has(i, m);
      CHECK((!out.has(i, m) || in.has(i, m)));
    }
    CHECK(here >= 1);
    kept += here;
  }
  CHECK(kept < 0.7 * 2.5 * rows);
  CHECK(same(fusion::drop_modalities(in, 0, g).present, in.present));
  const data::Modalities most = fusion::drop_modalities(in, 1, g);
  CHECK(sum(most.present).item() == rows);
  // Of one modality only: a gap in c, which half of the samples have, and in nothing else.
  const data::Modalities one = fusion::drop_modalities(in, 0.5, g, 2);
  CHECK(same(slice(one.present, 1, 0, 2), slice(in.present, 1, 0, 2)));
  CHECK(sum(select(one.present, 1, 2)).item() / static_cast<double>(rows) == doctest::Approx(0.25).epsilon(0.12));
  const data::Modalities alone = in.select(std::vector<std::string>{"a"});
  CHECK(same(fusion::drop_modalities(alone, 1, g, 0).present, alone.present));
  CHECK(message([&] { fusion::drop_modalities(in, 1, g, 3); }) == "drop_modalities: modality 3 of 3");
  const data::Modalities nobody = abc({{0, 0, 0}});
  CHECK(same(fusion::drop_modalities(nobody, 0.5, g).present, nobody.present));
}

TEST_CASE("degrade: what makes no sense is refused") {
  const data::Modalities in = abc(gaps);
  const fusion::Scales scales = fusion::measure(in);
  Generator g;
  const auto trying = [&](const fusion::DegradeOptions& o) {
    return message([&] { fusion::degrade(in, scales, o, g); });
  };
  CHECK(trying({.probability = 1.5}) == "degrade: probability is 1.5\n  help: choose one from 0 to 1");
  CHECK(trying({.noise = 0, .replace = 0, .shuffle = 0}) ==
        "degrade: noise, replace and shuffle are 0, 0 and 0\n  help: choose numbers from 0 up, at least one above 0");
  CHECK(trying({.weakest = 2, .strongest = 1}) ==
        "degrade: noise from 2 to 1 deviations\n  help: choose 0 <= weakest <= strongest");
  CHECK(message([&] { fusion::drop_modalities(in, -1, g); }) ==
        "drop_modalities: probability is -1\n  help: choose one from 0 to 1");
  CHECK(message([&] { fusion::degrade(in.select(std::vector<std::string>{"a"}), scales, {}, g); }) ==
        "degrade: scales of 3 modalities for 1");
  CHECK(message([&] { fusion::degrade_modality(in, scales, 3, Damage::noise, 1, g); }) ==
        "modalities: modality 3 is outside the mask [5, 3]");
  data::Modalities whole = in;
  whole.features[1] = zeros({5, 2}, DType::int64);
  CHECK(message([&] { fusion::measure(whole); }) ==
        "degrade: \"b\" is int64\n  help: degrade what is float32 or float64, such as encoded features");
}

TEST_CASE("conflict: one present modality of another class, the others as they were") {
  const data::Modalities in = many();
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < rows; ++i) labels.push_back(i % 3);
  Generator g{5};
  const data::Modalities out = fusion::conflict(in, labels, 0.6, g);
  CHECK(same(in.present, out.present));
  const std::vector<int> n = changed(in, out);
  CHECK(n[0] / static_cast<double>(rows) == doctest::Approx(0.25).epsilon(0.12));
  CHECK(n[2] / static_cast<double>(rows) == doctest::Approx(0.1).epsilon(0.2));
  const std::vector<double> before = numbers(in.features[2]), after = numbers(out.features[2]);
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
    if (i % 2 == 1 || after[4 * i] == before[4 * i]) continue;
    const auto from = std::find(before.begin(), before.end(), after[4 * i]) - before.begin();
    CHECK(labels[static_cast<std::size_t>(from / 4)] != labels[i]);
  }
  CHECK(changed(in, fusion::conflict(in, labels, 1, g, 2)) == std::vector<int>{0, 0, rows / 2});
  CHECK(changed(in, fusion::conflict(in, labels, 0, g)) == std::vector<int>{0, 0, 0});
  // Where all are of one class there is nobody to take from.
  const std::vector<std::int64_t> one(static_cast<std::size_t>(rows), 0);
  CHECK(changed(in, fusion::conflict(in, one, 1, g)) == std::vector<int>{0, 0, 0});
  CHECK(message([&] { fusion::conflict(in, labels, 2, g); }) ==
        "conflict: probability is 2\n  help: choose one from 0 to 1");
  CHECK(message([&] { fusion::conflict(in, labels, 1, g, 3); }) ==
        "conflict: 2000 labels and modality 3 for 2000 samples of 3 modalities");
}
