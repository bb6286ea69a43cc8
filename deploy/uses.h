#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include <weft/deploy/graph.h>

/// What passes ask of a graph.
namespace weft::deploy {

/// Who uses each value; the results of the graph are used from outside.
struct Uses {
  std::vector<std::vector<std::size_t>> steps;  ///< per value, in order, once for each argument
  std::vector<bool> result;
  std::vector<int> maker;  ///< the step that makes a value, or -1

  explicit Uses(const Graph& g) : steps(g.values.size()), result(g.values.size()), maker(g.values.size(), -1) {
    for (std::size_t i = 0; i < g.steps.size(); ++i) {
      for (const int v : g.steps[i].inputs)
        if (v >= 0) steps[static_cast<std::size_t>(v)].push_back(i);
      for (const int v : g.steps[i].outputs) maker[static_cast<std::size_t>(v)] = static_cast<int>(i);
    }
    for (const int v : g.outputs)
      if (v >= 0) result[static_cast<std::size_t>(v)] = true;
  }
  /// The only step that uses a value, if there is just one and nobody else does.
  std::optional<std::size_t> only(int value) const {
    const auto v = static_cast<std::size_t>(value);
    if (result[v] || steps[v].size() != 1) return std::nullopt;
    return steps[v].front();
  }
};

/// Removes the steps that are marked.
inline void remove(Graph& g, const std::vector<bool>& gone) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < g.steps.size(); ++i)
    if (!gone[i]) {
      if (to != i) g.steps[to] = std::move(g.steps[i]);
      ++to;
    }
  g.steps.resize(to);
}

inline bool is_float(const Graph& g, int value) { return value >= 0 && g[value].dtype == DType::float32; }
inline bool is_convolution(const Step& s) { return s.name == "conv1d" || s.name == "conv2d" || s.name == "conv3d"; }

}  // namespace weft::deploy
