#include <weft/autograd/ops/sparse.h>

#include <cmath>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

/// x has one row for each of `rows` things.
void check_rows(const char* op, const char* name, const Tensor& x, std::int64_t rows, const char* what) {
  if (!is_floating(x.dtype())) throw DtypeError(text(op, ": ", name, " is ", x.dtype(), ", not of a floating type"));
  if (x.dim() == 0 || x.shape()[0] != rows)
    throw ShapeError(text(op, ": ", name, " ", x.shape(), " needs a row for each of ", rows, " ", what));
}

void same_type(const char* op, const char* name_a, const Tensor& a, const char* name_b, const Tensor& b) {
  if (a.dtype() != b.dtype())
    throw DtypeError(text(op, ": types differ: ", name_a, " is ", a.dtype(), ", ", name_b, " is ", b.dtype(),
                          "\n  help: convert one with to(x, dtype)"));
}

/// One number per segment beside rows of x's rank.
Tensor beside(const Tensor& numbers, const Tensor& x) {
  Shape shape = Shape::filled(x.dim(), 1);
  shape[0] = numbers.numel();
  return reshape(numbers, shape);
}

}  // namespace

Tensor segment_sum(const Tensor& x, const Segments& segments) {
  check_rows("segment_sum", "x", x, segments.entries(), "entries");
  return record(
      {"segment_sum"}, {x}, [=](const Inputs& in) { return kernels::segment_sum(in[0], segments); },
      [segments](const Saved&, const Tensor& dy) { return segment_gather(dy, segments); });
}

Tensor segment_mean(const Tensor& x, const Segments& segments) {
  check_rows("segment_mean", "x", x, segments.entries(), "entries");
  const Tensor sizes = kernels::binary(kernels::Binary::maximum, segments.sizes(), Scalar(1));
  return segment_sum(x, segments) / beside(kernels::cast(sizes, x.dtype()), x);
}

Tensor segment_max(const Tensor& x, const Segments& segments) {
  check_rows("segment_max", "x", x, segments.entries(), "entries");
  return record(
      {"segment_max", {}, saves::inputs | saves::output}, {x},
      [=](const Inputs& in) { return kernels::segment_max(in[0], segments); },
      [segments](const Saved& s, const Tensor& dy) {
        // Which entries are largest does not change where there is a derivative.
        const Tensor largest = segment_gather(detach(s.output()), segments);
        const Tensor chosen = to(eq(detach(s.input(0)), largest), dy.dtype());
        const Tensor equals = clamp(segment_sum(chosen, segments), 1, HUGE_VAL);  // a segment may be empty
        return segment_gather(dy / equals, segments) * chosen;
      });
}

Tensor segment_min(const Tensor& x, const Segments& segments) {
  check_rows("segment_min", "x", x, segments.entries(), "entries");
  return Scalar(0) - segment_max(-x, segments);  // 0 - y: without entries the result is 0, not -0
}

Tensor segment_gather(const Tensor& x, const Segments& segments) {
  check_rows("segment_gather", "x", x, segments.count(), "segments");
  return record(
      {"segment_gather"}, {x}, [=](const Inputs& in) { return kernels::index_select(in[0], 0, segments.index()); },
      [segments](const Saved&, const Tensor& dy) { return segment_sum(dy, segments); });
}

Tensor segment_softmax(const Tensor& x, const Segments& segments) {
  check_rows("segment_softmax", "x", x, segments.entries(), "entries");
  const auto spread = [segments](const Tensor& rows) { return kernels::index_select(rows, 0, segments.index()); };
  return record(
      {"segment_softmax", {}, saves::output}, {x},
      [=](const Inputs& in) {
        using kernels::Binary;
        const Tensor largest = spread(kernels::segment_max(in[0], segments));
        const Tensor e = kernels::unary(kernels::Unary::exp, kernels::binary(Binary::sub, in[0], largest));
        return kernels::binary(Binary::div, e, spread(kernels::segment_sum(e, segments)));
      },
      [segments](const Saved& s, const Tensor& dy) {
        const Tensor weighted = s.output() * dy;
        return weighted - s.output() * segment_gather(segment_sum(weighted, segments), segments);
      });
}

Tensor neighbour_sum(const EdgeIndex& edges, const Tensor& x, const Tensor& weight) {
  check_rows("neighbour_sum", "x", x, edges.by_source().count(), "source nodes");
  if (weight.defined()) {
    check_rows("neighbour_sum", "weight", weight, edges.edges(), "edges");
    same_type("neighbour_sum", "x", x, "weight", weight);
    if (weight.dim() > 2 || (weight.dim() == 2 && (x.dim() < 2 || x.shape()[1] != weight.shape()[1])))
      throw ShapeError(text("neighbour_sum: weight ", weight.shape(), " and x ", x.shape(),
                            ": weights are (E,), or (E, H) with x (nodes, H, ...)"));
  }
  // Neither operand is kept unless the other one's gradient needs it.
  const Saves kept = (x.requires_grad() ? saves::input(1) : saves::nothing) |
                     (weight.requires_grad() ? saves::input(0) : saves::nothing);
  const bool weighted = weight.defined(), per_head = weighted && weight.dim() == 2;
  return record(
      {"neighbour_sum", {}, kept}, {x, weight},
      [=](const Inputs& in) { return kernels::neighbour_sum(edges, in[0], in[1]); },
      [edges, weighted, per_head](const Saved& s, const Tensor& dy) {
        Tensor dx, dweight;
        if (s.needs(0)) dx = neighbour_sum(edges.transposed(), dy, weighted ? s.input(1) : Tensor());
        if (s.needs(1)) dweight = edge_dot(edges, dy, s.input(0), per_head);
        return gradients(dx, dweight);
      });
}

Tensor edge_dot(const EdgeIndex& edges, const Tensor& a, const Tensor& b, bool per_head) {
  check_rows("edge_dot", "a", a, edges.by_target().count(), "target nodes");
  check_rows("edge_dot", "b", b, edges.by_source().count(), "source nodes");
  same_type("edge_dot", "a", a, "b", b);
  Shape row_a = a.shape(), row_b = b.shape();
  row_a[0] = row_b[0] = 0;
  if (!(row_a == row_b) || (per_head && a.dim() < 2))
    throw ShapeError(text("edge_dot: a ", a.shape(), " and b ", b.shape(), ": rows must have the same shape",
                          per_head ? ", (H, ...)" : ""));
  const std::int64_t heads = per_head ? a.shape()[1] : 1;
  return record(
      {"edge_dot", {{"per_head", per_head}}, saves::inputs}, {a, b},
      [=](const Inputs& in) {
        const Tensor y = kernels::edge_dot(edges, in[0], in[1], heads);
        return per_head ? y : view_as(y, {edges.edges()}, {1});
      },
      [edges](const Saved& s, const Tensor& dy) {
        Tensor da, db;
        if (s.needs(0)) da = neighbour_sum(edges, s.input(1), dy);
        if (s.needs(1)) db = neighbour_sum(edges.transposed(), s.input(0), dy);
        return gradients(da, db);
      });
}

}  // namespace weft
