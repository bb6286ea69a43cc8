#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/sparse.h>
#include <weft/layers/graph/convolutions.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>
#include <weft/tensor/random.h>

#include "training.h"

using namespace weft;

/// Cases that no peer has: the same work at growing sizes, and what a loop written by hand needs for it.
namespace bench {
namespace {

constexpr std::int64_t degree = 10, width = 64;

Tensor random_edges(std::int64_t nodes) { return randint(0, nodes, {2, nodes * degree}); }

/// Forward and backward of one weighted sum over the neighbours: two sparse products.
Built neighbours(std::int64_t nodes) {
  const EdgeIndex edges(random_edges(nodes), nodes, nodes);
  const Tensor weight = rand({edges.edges()}), dy = randn({nodes, width});
  Tensor x = randn({nodes, width});
  x.set_requires_grad();
  return {[=]() mutable {
    x.set_grad(Tensor());
    neighbour_sum(edges, x, weight).backward(dy);
  }};
}

/// Two rounds of features that are passed on to the neighbours.
struct Gcn {
  GCNConv first{{.in_channels = width, .out_channels = width}}, second{{.in_channels = width, .out_channels = 7}};
  Tensor operator()(const Tensor& x, const Graph& graph) const { return second(relu(first(x, graph)), graph); }
  void fields(auto&& f) { f("first", first, "second", second); }
};

Built training_step(std::int64_t nodes) {
  return classification<optim::Adam>(Gcn(), {.lr = 1e-3}, randint(0, 7, {nodes}), randn({nodes, width}),
                                     Graph(random_edges(nodes), nodes));
}

/// Compressed rows, as one writes them without a framework.
struct Rows {
  std::vector<std::int64_t> begin, column;
  std::vector<float> value;

  /// y (nodes, width) = this matrix times x.
  void multiply(const float* x, float* y) const {
    const auto rows = static_cast<std::int64_t>(begin.size()) - 1;
    parallel_for(rows, 256, [&](std::int64_t first, std::int64_t last) { run(first, last, x, y); });
  }

 private:
#if defined(__x86_64__) && !defined(__clang__)
  __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
  void
  run(std::int64_t first, std::int64_t last, const float* x, float* y) const {
    for (std::int64_t i = first; i < last; ++i) {
      float sum[width] = {};
      for (std::int64_t e = begin[static_cast<std::size_t>(i)]; e < begin[static_cast<std::size_t>(i) + 1]; ++e) {
        const float w = value[static_cast<std::size_t>(e)];
        const float* row = x + column[static_cast<std::size_t>(e)] * width;
        for (std::int64_t j = 0; j < width; ++j) sum[j] += w * row[j];
      }
      for (std::int64_t j = 0; j < width; ++j) y[i * width + j] = sum[j];
    }
  }
};

Rows compress(const Segments& rows, const std::vector<std::int64_t>& columns, const std::vector<float>& values) {
  Rows r{to_vector<std::int64_t>(rows.offsets()), {}, {}};
  for (const std::int64_t e : to_vector<std::int64_t>(rows.order())) {
    r.column.push_back(columns[static_cast<std::size_t>(e)]);
    r.value.push_back(values[static_cast<std::size_t>(e)]);
  }
  return r;
}

/// The two products of neighbours() by hand.
Built by_hand(std::int64_t nodes) {
  const EdgeIndex edges(random_edges(nodes), nodes, nodes);
  const auto weight = to_vector<float>(rand({edges.edges()}));
  const auto from = to_vector<std::int64_t>(edges.by_source().index()),
             to = to_vector<std::int64_t>(edges.by_target().index());
  struct Job {
    Rows forward, backward;
    Tensor x, dy, y, dx;
  };
  const auto job = std::make_shared<Job>(Job{compress(edges.by_target(), from, weight),
                                             compress(edges.by_source(), to, weight), randn({nodes, width}),
                                             randn({nodes, width}), empty({nodes, width}), empty({nodes, width})});
  return {[job] {
    job->forward.multiply(job->x.data<float>(), job->y.mutable_data<float>());
    job->backward.multiply(job->dy.data<float>(), job->dx.mutable_data<float>());
  }};
}

}  // namespace

void add_growth(Cases& cases) {
  for (const std::int64_t nodes : {3000, 30000, 300000}) {
    const std::string n = std::to_string(nodes);
    cases.push_back({"growth_neighbours_" + n, [=] { return neighbours(nodes); }});
    cases.push_back({"growth_by_hand_" + n, [=] { return by_hand(nodes); }});
    cases.push_back({"growth_gcn_" + n, [=] { return training_step(nodes); }});
  }
}

}  // namespace bench
