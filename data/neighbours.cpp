#include <weft/data/neighbours.h>

#include <algorithm>

#include <weft/data/at.h>
#include <weft/data/graph.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

namespace weft::data {
namespace {

using Int = std::int64_t;
using Ints = std::vector<Int>;

using detail::at;

/// `count` different numbers below n to `out`: each set is equally likely. Floyd's method; counts are small enough to
/// look among the numbers drawn so far one by one.
void draw_different(Int n, Int count, Generator& g, Int* out) {
  for (Int k = 0; k < count; ++k) {
    const Int last = n - count + k, drawn = g.below(last + 1);
    out[k] = std::find(out, out + k, drawn) == out + k ? drawn : last;
  }
}

/// Puts the -1 back when a sample is done, or could not be.
class Forget {
 public:
  Forget(Ints& number, const Ints& nodes) : number_(number), nodes_(nodes) {}
  Forget(const Forget&) = delete;
  ~Forget() {
    for (const Int node : nodes_) number_[at(node)] = -1;
  }

 private:
  Ints& number_;
  const Ints& nodes_;
};

}  // namespace

EdgeIndex NeighbourSample::block(Int layer) const {
  if (layer < 0 || layer >= hops())
    throw ConfigError(text("neighbour_sample: layer ", layer, " of ", hops(), " layers"));
  const Int hop = hops() - layer, total = edge_index.size(1);
  return EdgeIndex(view_as(edge_index, {2, edges_within[at(hop)]}, {total, 1}), nodes_within[at(hop)],
                   nodes_within[at(hop - 1)]);
}

NeighbourSampler::NeighbourSampler(const Tensor& edge_index, Int nodes, Ints fanouts) : fanouts_(std::move(fanouts)) {
  constexpr const char* op = "neighbour_sampler";
  if (nodes == 0) throw ConfigError(text(op, ": the graph has no nodes"));
  if (fanouts_.empty()) throw ConfigError(text(op, ": no fan-outs\n  help: give one for each layer"));
  for (std::size_t h = 0; h < fanouts_.size(); ++h)
    if (fanouts_[h] < 1 && fanouts_[h] != -1)
      throw ConfigError(
          text(op, ": the fan-out of hop ", h + 1, " is ", fanouts_[h], "\n  help: choose 1 or more, or -1 for all"));
  const Tensor edges = detail::checked_edges(op, edge_index, nodes);
  const Int n = edges.size(1), *from = edges.data<Int>(), *to = from + n;
  offsets_.assign(at(nodes + 1), 0);
  for (Int e = 0; e < n; ++e) ++offsets_[at(to[e] + 1)];
  for (std::size_t i = 1; i < offsets_.size(); ++i) offsets_[i] += offsets_[i - 1];
  sources_.resize(at(n)), edge_.resize(at(n));
  // Each edge moves its target's begin up to where the next one's is; then all begins go back by one place.
  for (Int e = 0; e < n; ++e) {
    const std::size_t place = at(offsets_[at(to[e])]++);
    sources_[place] = from[e], edge_[place] = e;
  }
  std::move_backward(offsets_.begin(), offsets_.end() - 1, offsets_.end());
  offsets_.front() = 0;
  number_.assign(at(nodes), -1);
}

/// What the nodes of one hop draw: node i has places [begin[i], begin[i + 1]).
struct NeighbourSampler::Hop {
  Ints begin, places;  // places in sources_ and edge_
};

void NeighbourSampler::draw(std::span<const Int> targets, Int fanout, Generator& generator, Hop& hop) const {
  const auto count = static_cast<Int>(targets.size());
  hop.begin.assign(1, 0);
  for (const Int node : targets) {
    const Int degree = offsets_[at(node + 1)] - offsets_[at(node)];
    hop.begin.push_back(hop.begin.back() + (fanout < 0 ? degree : std::min(degree, fanout)));
  }
  hop.places.resize(at(hop.begin.back()));
  const std::uint64_t stride = fanout < 0 ? 0 : static_cast<std::uint64_t>(fanout);
  const std::uint64_t offset = generator.take(stride * static_cast<std::uint64_t>(count));
  // A draw costs about as much as a hundred additions.
  parallel_for(count, grain / 128 / std::max<Int>(fanout, 1) + 1, [&](Int first, Int last) {
    for (Int i = first; i < last; ++i) {
      const Int begin = offsets_[at(targets[at(i)])], degree = offsets_[at(targets[at(i)] + 1)] - begin;
      Int *out = hop.places.data() + hop.begin[at(i)], n = hop.begin[at(i + 1)] - hop.begin[at(i)];
      if (n == degree) {
        for (Int k = 0; k < n; ++k) out[k] = begin + k;
        continue;
      }
      Generator own{generator.seed, offset + static_cast<std::uint64_t>(i) * stride};
      draw_different(degree, n, own, out);
      for (Int k = 0; k < n; ++k) out[k] += begin;
    }
  });
}

NeighbourSample NeighbourSampler::sample(const Tensor& seeds, Generator& generator) {
  constexpr const char* op = "neighbour_sampler";
  if (seeds.dim() != 1 || seeds.numel() == 0)
    throw ShapeError(text(op, ": the seeds are ", seeds.shape(), ", not (B,) with at least one node"));
  if (seeds.dtype() != DType::int64 && seeds.dtype() != DType::int32)
    throw DtypeError(
        text(op, ": the seeds are ", seeds.dtype(), "\n  help: convert them with to(seeds, DType::int64)"));
  NeighbourSample out;
  Ints met, from, to, edges;
  const Forget forget(number_, met);
  for (const Int node : to_vector<Int>(seeds)) {
    if (node < 0 || node >= nodes()) throw ConfigError(text(op, ": seed ", node, " is no node of ", nodes()));
    if (number_[at(node)] >= 0) throw ConfigError(text(op, ": node ", node, " is a seed twice"));
    number_[at(node)] = static_cast<Int>(met.size());
    met.push_back(node);
  }
  out.nodes_within.push_back(static_cast<Int>(met.size()));
  out.edges_within.push_back(0);
  Hop hop;
  std::size_t asked = 0;  // the nodes before this one have drawn
  for (const Int fanout : fanouts_) {
    const std::size_t end = met.size();
    draw(std::span(met).subspan(asked, end - asked), fanout, generator, hop);
    for (std::size_t i = asked; i < end; ++i)
      for (Int k = hop.begin[i - asked]; k < hop.begin[i - asked + 1]; ++k) {
        const std::size_t place = at(hop.places[at(k)]);
        Int& number = number_[at(sources_[place])];
        if (number < 0) {
          number = static_cast<Int>(met.size());
          met.push_back(sources_[place]);
        }
        from.push_back(number), to.push_back(static_cast<Int>(i)), edges.push_back(edge_[place]);
      }
    asked = end;
    out.nodes_within.push_back(static_cast<Int>(met.size()));
    out.edges_within.push_back(static_cast<Int>(edges.size()));
  }
  out.nodes = weft::from(met), out.edges = weft::from(edges);
  const auto n = static_cast<Int>(edges.size());
  out.edge_index = empty({2, n}, DType::int64);
  Int* ends = out.edge_index.mutable_data<Int>();
  std::copy(from.begin(), from.end(), ends);
  std::copy(to.begin(), to.end(), ends + n);
  return out;
}

}  // namespace weft::data
