#include <weft/autograd/ops/sorting.h>

#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

std::int64_t length(const Tensor& x, int axis) { return x.dim() == 0 ? 1 : x.shape()[axis]; }

}  // namespace

Selected sort(const Tensor& x, int axis, bool descending) {
  const int k = normalize_axis("sort", axis, x.dim());
  return detail::selected("sort", x, k, true,
                          [=](const Tensor& v, Tensor& places) { return kernels::sort(v, k, descending, places); });
}

Tensor msort(const Tensor& x) { return sort(x, 0).values; }

Selected topk(const Tensor& x, std::int64_t k, int axis, bool largest) {
  const int at = normalize_axis("topk", axis, x.dim());
  const std::int64_t n = length(x, at);
  if (k < 0 || k > n) throw ConfigError(text("topk: k is ", k, ", axis ", axis, " has ", n, " values"));
  if (x.dim() == 0 && k == 0) throw ConfigError("topk: k is 0, the one value of rank 0 stays");
  return detail::selected("topk", x, at, true,
                          [=](const Tensor& v, Tensor& places) { return kernels::topk(v, k, at, largest, places); });
}

Selected kthvalue(const Tensor& x, std::int64_t k, int axis, bool keep) {
  const int at = normalize_axis("kthvalue", axis, x.dim());
  const std::int64_t n = length(x, at);
  if (k < 1 || k > n)
    throw ConfigError(text("kthvalue: k is ", k, ", axis ", axis, " has ", n, " values, counted from 1"));
  return detail::selected("kthvalue", x, at, keep,
                          [=](const Tensor& v, Tensor& places) { return kernels::kthvalue(v, k, at, places); });
}

Tensor searchsorted(const Tensor& sequence, const Tensor& values, const SearchOptions& options) {
  if (options.out != DType::int64 && options.out != DType::int32)
    throw DtypeError(text("searchsorted: places are int64 or int32, not ", options.out));
  if (sequence.dim() == 0) throw ShapeError("searchsorted: the sequence has rank 0\n  help: give it one axis at least");
  bool fits = sequence.dim() == 1 || sequence.dim() == values.dim();
  for (int i = 0; fits && sequence.dim() > 1 && i < values.dim() - 1; ++i)
    fits = sequence.shape()[i] == values.shape()[i];
  if (!fits)
    throw ShapeError(text("searchsorted: the sequence ", sequence.shape(), " does not fit the values ", values.shape(),
                          "\n  help: give one axis, or the values' sizes on all but the last"));
  if (options.sorter.defined()) {
    if (!is_integer(options.sorter.dtype()))
      throw DtypeError(text("searchsorted: the sorter is ", options.sorter.dtype(), ", not int64"));
    if (!(options.sorter.shape() == sequence.shape()))
      throw ShapeError(
          text("searchsorted: the sorter ", options.sorter.shape(), " does not fit the sequence ", sequence.shape()));
  }
  return record({"searchsorted", {{"right", options.right}}}, {sequence, values, options.sorter},
                [right = options.right, out = options.out](const Inputs& in) {
                  return kernels::cast(kernels::searchsorted(in[0], in[1], right, in[2]), out);
                });
}

Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right, DType out) {
  if (boundaries.dim() != 1)
    throw ShapeError(text("bucketize: the boundaries are ", boundaries.shape(), ", not one axis"));
  return searchsorted(boundaries, values, {.right = right, .out = out});
}

}  // namespace weft
