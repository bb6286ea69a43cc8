#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <weft/data/csv.h>
#include <weft/data/file.h>
#include <weft/data/metrics.h>
#include <weft/data/npy.h>
#include <weft/data/scale.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Names = std::vector<std::string>;

TEST_CASE("real tables and arrays") {
  const std::string folder = folder_from("WEFT_DATA");
  if (folder.empty()) {
    MESSAGE("left out: WEFT_DATA names no folder of data sets");
    return;
  }
  SUBCASE("alzheimer") {
    const Table t = read_csv(folder + "/alzheimer_csf_biomarkers/ad.csv");
    CHECK(t.rows() == 333);
    CHECK(t.columns.size() == 132);
    CHECK(t.at("split").levels == Names{"test", "train"});
    CHECK(t.at("Genotype").levels.size() == 6);
    CHECK(t.match(Names{"tau", "p_tau", "Ab_42"}).size() == 3);
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < 200; ++i) rows.push_back(i);
    const Encoded e = TableEncoder::fit(t, Names{"*", "!target", "!split"}, rows).apply(t);
    CHECK(e.features.size(0) == 333);
    for (const float v : to_vector<float>(e.features)) REQUIRE(std::abs(v) < 100);
  }
  SUBCASE("missing values") {
    const Table heart = read_csv(folder + "/heart_disease_4sites/heart.csv");
    CHECK(heart.rows() == 920);
    int missing = 0;
    for (std::int64_t i = 0; i < heart.rows(); ++i) missing += heart.at("ca").missing(i);
    CHECK(missing == 611);
    CHECK(heart.at("site").levels.size() == 4);
    const Table skin = read_csv(folder + "/ham10000_8x8_tabular/x2_tabular.csv");
    CHECK(skin.rows() == 10015);
    CHECK_FALSE(skin.at("age").categorical);
  }
  SUBCASE("plain text with stray quotes") {
    const Table t = read_csv(folder + "/text_trec6/test.tsv", {.delimiter = '\t', .quote = '\0', .header = false});
    CHECK(t.rows() == 500);
    CHECK(t.columns.size() == 3);
  }
  SUBCASE("arrays") {
    CHECK(load_npy(folder + "/rosmap/x1_mrna_train.npy").shape() == Shape{245, 200});
    CHECK(load_npy(folder + "/cora_planetoid/x_csr_indices.npy").dtype() == DType::int32);
    CHECK(load_npy(folder + "/pneumoniamnist_28/x_test.npy").dtype() == DType::uint8);
    if (have_zlib()) {
      const auto beats = load_npz(folder + "/mitbih_beats/test.npz");
      CHECK(beats.size() == 5);
      CHECK(beats.at("x").size(0) == beats.at("y").size(0));
    }
  }
}

namespace {

/// Numbers of a safetensors file, as the golden cases store them (int64 and float64 only).
struct Golden {
  std::string bytes;
  nlohmann::json header;
  explicit Golden(const std::string& path) : bytes(read_file("golden", path)) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    header = nlohmann::json::parse(bytes.substr(8, length));
    bytes.erase(0, 8 + length);
  }
  template <class T>
  std::vector<T> get(const nlohmann::json& reference) const {
    const auto& at = header.at(reference.at("tensor").get<std::string>()).at("data_offsets");
    std::vector<T> out((at[1].get<std::size_t>() - at[0].get<std::size_t>()) / sizeof(T));
    std::memcpy(out.data(), bytes.data() + at[0].get<std::size_t>(), out.size() * sizeof(T));
    return out;
  }
};

}  // namespace

TEST_CASE("golden metrics") {
  const std::string folder = folder_from("WEFT_GOLDEN");
  if (folder.empty()) {
    MESSAGE("left out: WEFT_GOLDEN names no folder of golden cases");
    return;
  }
  const Golden tensors(folder + "/metrics.safetensors");
  const auto suite = nlohmann::json::parse(read_file("golden", folder + "/metrics.json"));
  int cases = 0;
  for (const auto& c : suite.at("cases")) {
    ++cases;
    const auto& expected = c.at("expected");
    const double absolute = c.at("tolerance")[0], relative = c.at("tolerance")[1];
    const auto agree = [&](const char* key, double actual) {
      const double wanted = expected.at(key).get<double>();
      CHECK_MESSAGE(std::abs(actual - wanted) <= absolute + relative * std::abs(wanted), key, " of ",
                    c.at("id").get<std::string>(), ": ", actual, " instead of ", wanted);
    };
    if (c.at("metric") == "regression") {
      const auto truth = tensors.get<double>(c.at("target")), given = tensors.get<double>(c.at("prediction"));
      agree("mse", mean_squared_error(truth, given));
      agree("mae", mean_absolute_error(truth, given));
      agree("r2", r_squared(truth, given));
      continue;
    }
    const auto labels = tensors.get<std::int64_t>(c.at("labels"));
    const auto flat = tensors.get<double>(c.at("probabilities"));
    const auto n = static_cast<std::int64_t>(labels.size());
    const Predictions p = Predictions::of(from(labels), from(flat, {n, static_cast<std::int64_t>(flat.size()) / n}));
    const auto decided = p.predicted();
    agree("accuracy", accuracy(labels, decided));
    agree("balanced_accuracy", balanced_accuracy(labels, decided));
    agree("f1_macro", f1(labels, decided, Average::macro));
    agree("f1_weighted", f1(labels, decided, Average::weighted));
    agree("f1_micro", f1(labels, decided, Average::micro));
    agree("precision_macro", precision(labels, decided, Average::macro));
    agree("recall_macro", recall(labels, decided, Average::macro));
    agree("mcc", matthews(labels, decided));
    agree("cohen_kappa", cohen_kappa(labels, decided));
    agree("log_loss", log_loss(p));
    agree("roc_auc_ovr_macro", roc_auc(p));
    agree("top2", top_k(p, 2));
    const Confusion square = confusion(labels, decided, p.classes);
    CHECK(square.counts == [&] {
      std::vector<std::int64_t> all;
      for (const auto& row : expected.at("confusion"))
        for (const auto& cell : row) all.push_back(cell.get<std::int64_t>());
      return all;
    }());
    const auto truth = tensors.get<std::int64_t>(c.at("binary_labels"));
    const auto scores = tensors.get<double>(c.at("binary_scores"));
    agree("roc_auc_binary", roc_auc(truth, scores));
    agree("average_precision_binary", average_precision(truth, scores));
    agree("brier_binary", brier(Predictions::of(from(truth), from(scores))));
    const RocCurve curve = roc_curve(truth, scores);
    const auto fpr = tensors.get<double>(c.at("roc_fpr")), tpr = tensors.get<double>(c.at("roc_tpr"));
    REQUIRE(curve.false_positive_rate.size() == fpr.size());
    for (std::size_t i = 0; i < fpr.size(); ++i) {
      CHECK(std::abs(curve.false_positive_rate[i] - fpr[i]) < 1e-12);
      CHECK(std::abs(curve.true_positive_rate[i] - tpr[i]) < 1e-12);
    }
  }
  CHECK(cases > 0);
}
