#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "kept.h"

/// What examples/clinic.cpp measured with one seed: plain numbers, so that a run that was stopped can go on.
struct Measured {
  static constexpr std::size_t choices = 14, bins = 20;  // of the table's rows; of the reliability, from 0 to 1
  double oracle = 0, with_graph = 0;                     // accuracy of the best rule; told the neighbours' diagnoses
  std::array<double, choices> accuracy{}, correlation{};
  std::array<double, 4 * bins> weight{}, patients{};  // sum of a modality's weights by its reliability; how many
  void each(auto&& f) {
    f(oracle), f(with_graph);
    for (auto* part : {&accuracy, &correlation}) std::ranges::for_each(*part, f);
    for (auto* part : {&weight, &patients}) std::ranges::for_each(*part, f);
  }
  /// Weights and reliabilities, (B, 4) row by row.
  void add_weights(const std::vector<double>& weights, const std::vector<double>& reliability) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto bin = std::min(bins - 1, static_cast<std::size_t>(bins * reliability[i]));
      weight[i % 4 * bins + bin] += weights[i], patients[i % 4 * bins + bin] += 1;
    }
  }
  void add_weights(const Measured& other) {
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] += other.weight[i], patients[i] += other.patients[i];
  }
  /// Mean weight of modality m, and the reliability that it is for.
  std::pair<std::vector<double>, std::vector<double>> curve(std::size_t m) const {
    std::pair<std::vector<double>, std::vector<double>> out;
    for (std::size_t b = 0; b < bins; ++b) {
      if (patients[m * bins + b] == 0) continue;
      out.first.push_back(weight[m * bins + b] / patients[m * bins + b]);
      out.second.push_back((static_cast<double>(b) + 0.5) / bins);
    }
    return out;
  }
};
