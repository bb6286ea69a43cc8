#pragma once
#include <filesystem>

#include "clinic_encoders.h"
#include "missing_patients.h"

// Who the patients of examples/missing.cpp are.

/// A matrix (N, F) as a table; NaN is missing.
inline data::Table table_of(const Tensor& x) {
  data::Table table;
  for (std::int64_t j = 0; j < x.size(1); ++j)
    table.columns.push_back(
        data::Column::of_numbers("c" + std::to_string(j), to_vector<double>(contiguous(select(x, 1, j)))));
  return table;
}
inline Rows codes_of(const data::Column& column) {
  if (column.categorical) return column.codes;
  return {column.numbers.begin(), column.numbers.end()};
}

/// Alzheimer's disease from three kinds of omics; everybody has all.
inline Patients rosmap(const std::string& at, int splits, std::uint64_t seed) {
  Patients p{.name = "rosmap", .kinds = {"mRNA", "methylation", "miRNA"}, .rates = {0, 0.2, 0.4, 0.6, 0.8}};
  const auto both = [&](const std::string& file) {
    return cat({data::load_npy(at + file + "_train.npy"), data::load_npy(at + file + "_test.npy")}, 0);
  };
  for (const char* file : {"x1_mrna", "x2_meth", "x3_mirna"}) p.tables.push_back(table_of(both(file)));
  p.labels = to_vector<std::int64_t>(both("y"));
  Generator g{seed};
  p.splits = data::stratified_splits(p.labels, splits, 0.3, g);
  return p;
}

/// Seven kinds of skin lesion from a picture of 8 x 8 and a table; no lesion is on both sides of a split.
inline Patients ham10000(const std::string& at, int splits, std::uint64_t seed) {
  Patients p{.name = "ham10000", .kinds = {"image", "table"}, .classes = 7, .rates = {0, 0.2, 0.4, 0.6, 0.8}};
  const data::Table csv = data::read_csv(at + "x2_tabular.csv");
  p.tables = {table_of(flatten(to(data::load_npy(at + "x1_image.npy"), DType::float32), 1)),
              csv.select(std::vector<std::string>{"age", "sex", "localization"})};
  p.labels = to_vector<std::int64_t>(data::load_npy(at + "y.npy"));
  Generator g{seed};
  for (int s = 0; s < splits; ++s)
    p.splits.push_back(data::group_split(codes_of(csv.at("lesion_id")), 0.2, g, p.labels));
  return p;
}

/// Heart disease in four hospitals, each of which measured other things; each is tested by the other three.
inline Patients heart(const std::string& at) {
  Patients p{.name = "heart", .kinds = {"history", "blood", "exercise ECG", "imaging"}};
  data::Table csv = data::read_csv(at + "heart.csv", {.categorical = {"cp", "restecg", "slope", "thal"}});
  for (data::Column& c : csv.columns)
    if (c.name == "chol")  // nobody has none: it was not measured
      for (double& v : c.numbers) v = v == 0 ? std::nan("") : v;
  const std::vector<std::vector<std::string>> columns = {{"age", "sex", "cp"},
                                                         {"trestbps", "chol", "fbs"},
                                                         {"restecg", "thalach", "exang", "oldpeak", "slope"},
                                                         {"ca", "thal"}};
  for (const auto& names : columns) p.tables.push_back(csv.select(names));
  p.labels = codes_of(csv.at("target"));
  p.splits = data::leave_one_group_out(codes_of(csv.at("site")));
  p.sites = csv.at("site").levels;
  return p;
}

/// Who of 92 patients with a rare cancer died, from five assays that many of them really lack.
inline Patients miniacc(const std::string& at, int splits, std::uint64_t seed) {
  Patients p{.name = "miniacc", .kinds = {"RNA", "copy number", "protein", "mutation", "miRNA"}};
  for (const char* file : {"x1_rnaseq", "x2_gistic_cnv", "x3_rppa", "x4_mutation", "x5_mirna"}) {
    const Tensor x = to(data::load_npy(at + file + ".npy"), DType::float64);
    const bool counts = file[1] == '1' || file[1] == '5';
    p.tables.push_back(table_of(counts ? log2(x + 1.0) : x));
  }
  p.labels = codes_of(data::read_csv(at + "clinical.csv").at("vital_status"));
  Generator g{seed};
  p.splits = data::stratified_splits(p.labels, splits, 0.3, g);
  return p;
}

/// A simulated clinic (data/clinic.h), anew for each split. A picture of zeros is black, an ECG flat, a note empty, and
/// no value of the laboratory measured. Epochs were chosen with --seed 1001 (8 rather than 14), whose patients are in
/// no figure.
inline Patients clinic(std::int64_t seen, std::int64_t unseen, int draws, std::uint64_t seed) {
  Patients p{
      .name = "clinic", .kinds = {"image", "ecg", "note", "laboratory"}, .rates = {0, 0.2, 0.4, 0.6, 0.8}, .epochs = 8};
  for (const std::string& kind : p.kinds) p.encoders.push_back(clinic_encoder(kind));
  data::Split split;
  for (std::int64_t i = 0; i < seen + unseen; ++i) (i < seen ? split.train : split.test).push_back(i);
  p.splits.assign(static_cast<std::size_t>(draws), split);
  p.drawn = [=](std::size_t draw) {
    const data::Clinic made = data::simulate_clinic({.patients = seen + unseen, .seed = 2000 + seed + draw});
    Evidence e{made.evidence, {}, made.diagnosis};
    for (Tensor& x : e.all.features) {
      x = flatten(x, 1);
      e.zero.push_back(zeros({x.size(1)}));
    }
    return e;
  };
  return p;
}

/// The clinic, and those whose data are in `root`; or only the one of this name.
inline std::vector<Patients> everybody(const std::string& root, const std::string& only, bool full, int splits,
                                       std::uint64_t seed) {
  namespace fs = std::filesystem;
  std::vector<Patients> all;
  const auto there = [&](const char* folder) { return !root.empty() && fs::exists(fs::path(root) / folder); };
  all.push_back(full ? clinic(2000, 2000, splits, seed) : clinic(1000, 1000, splits, seed));
  if (there("rosmap")) all.push_back(rosmap(root + "/rosmap/", splits, seed));
  if (there("heart_disease_4sites")) all.push_back(heart(root + "/heart_disease_4sites/"));
  if (there("miniacc_missing_modalities")) all.push_back(miniacc(root + "/miniacc_missing_modalities/", splits, seed));
  if (full && there("ham10000_8x8_tabular"))
    all.push_back(ham10000(root + "/ham10000_8x8_tabular/", std::min(splits, 5), seed));
  if (!only.empty()) std::erase_if(all, [&](const Patients& p) { return p.name != only; });
  return all;
}
