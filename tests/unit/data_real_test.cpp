#include <doctest/doctest.h>

#include <weft/data/csv.h>
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
    const Encoded e = TableEncoder::fit(t, Names{"*", "!target", "!split"}, rows, {.unseen = Unseen::unknown}).apply(t);
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
