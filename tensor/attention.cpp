#include <weft/tensor/attention.h>

#include <algorithm>

#include <weft/tensor/allocator.h>
#include <weft/tensor/dispatch.h>
#include <weft/tensor/precision.h>

namespace weft::kernels {
namespace {

/// x itself when its rows are dense, else a copy; rounded where products are.
Tensor with_dense_rows(const Tensor& x) {
  if (x.dtype() == DType::float32 && product_precision() == Precision::bfloat16) return rounded_to_bfloat16(x);
  return x.strides()[x.dim() - 1] == 1 || x.shape().back() == 1 ? x : copy(x);
}

/// Row `index` of the axes in front of the last `behind` ones, in elements from the first.
Int place(const Tensor& x, int behind, Int index) {
  Int at = 0;
  for (int axis = x.dim() - 1 - behind; axis >= 0; --axis) {
    const Int next = index / x.shape()[axis];
    at += (index - next * x.shape()[axis]) * x.strides()[axis];
    index = next;
  }
  return at;
}

/// New, of q's shape with rows of n, its axes in memory in the order of q's, so that heads which were cut out of rows
/// are joined again without a copy.
Tensor laid_out_as(const Tensor& q, Int n) {
  const int rank = q.dim();
  int order[Dims::max_rank];
  for (int i = 0; i < rank; ++i) order[i] = i;
  std::stable_sort(order, order + rank - 1, [&](int a, int b) {
    // A repeated axis has no place of its own.
    return q.strides()[a] != 0 && q.strides()[b] != 0 && q.strides()[a] > q.strides()[b];
  });
  Shape shape = q.shape();
  shape.back() = n;
  Strides strides = row_major(shape);
  Int step = n;
  for (int i = rank - 2; i >= 0; --i) {
    strides[order[i]] = step;
    step *= shape[order[i]];
  }
  return view_as(empty(shape, q.dtype()), shape, strides);
}

/// All that the heads of a call share.
struct Heads {
  Tensor q, k, v, mask;
  Int count, queries, keys, item;
  AttentionHead common;

  Heads(const Tensor& query, const Tensor& key, const Tensor& value, const Attention& a)
      : q(with_dense_rows(query)), k(with_dense_rows(key)), v(with_dense_rows(value)) {
    const int r = q.dim();
    item = item_size(q.dtype());
    queries = q.shape()[r - 2];
    keys = k.shape()[r - 2];
    count = q.numel() / (queries * q.shape()[r - 1]);
    common = {nullptr,  nullptr, nullptr,   nullptr, q.strides()[r - 2], k.strides()[r - 2],      v.strides()[r - 2],
              0,        0,       queries,   keys,    q.shape()[r - 1],   v.shape()[r - 1],        false,
              a.causal, a.scale, a.dropout, a.seed,  a.offset,           table().random_bernoulli};
    if (!a.mask.defined()) return;
    mask = a.mask.dtype() == DType::boolean ? a.mask : cast(a.mask, q.dtype());
    Shape shape = q.shape();  // (..., T, S)
    shape.back() = keys;
    Strides strides = Strides::filled(r, 0);
    for (int axis = r - 1, from = mask.dim() - 1; from >= 0; --axis, --from)
      if (mask.shape()[from] != 1) strides[axis] = mask.strides()[from];
    mask = view_as(mask, shape, strides);
    common.mask_numbers = mask.dtype() != DType::boolean;
    common.mask_row = strides[r - 2];
    common.mask_column = strides[r - 1];
  }

  AttentionHead operator[](Int i) const {
    AttentionHead h = common;
    h.q = bytes(q) + place(q, 2, i) * item;
    h.k = bytes(k) + place(k, 2, i) * item;
    h.v = bytes(v) + place(v, 2, i) * item;
    if (mask.defined()) h.mask = bytes(mask) + place(mask, 2, i) * item_size(mask.dtype());
    h.offset += static_cast<std::uint64_t>(i * queries * keys);
    return h;
  }
  Int query_blocks() const { return (queries + attention_queries - 1) / attention_queries; }
  Int key_blocks() const { return (keys + attention_keys - 1) / attention_keys; }
};

/// Calls body(head, first block, last block, scratch) so that all blocks of all heads are done, on all threads.
template <class Body>
void for_blocks(const Heads& heads, Int blocks, Body&& body) {
  constexpr Int least_work = Int{1} << 18;
  const AttentionHead& h = heads.common;
  const Int work = (h.queries * h.keys / blocks + 1) * (h.width + h.values);
  const int level = slot(compute_of(heads.q.dtype()));
  const auto bytes = static_cast<std::size_t>(table().attention_scratch[level](h) * heads.item);
  parallel_for(heads.count * blocks, least_work / work + 1, [&](Int begin, Int end) {
    void* scratch = allocate_memory(bytes);
    while (begin < end) {
      const Int i = begin / blocks, last = std::min(end, (i + 1) * blocks);
      body(heads[i], i, begin - i * blocks, last - i * blocks, scratch);
      begin = last;
    }
    deallocate_memory(scratch, bytes);
  });
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& a, Tensor& logsums) {
  const Heads heads(q, k, v, a);
  const Tensor y = laid_out_as(heads.q, v.shape().back());
  Shape rows = q.shape();
  rows.erase(rows.size() - 1);
  logsums = empty(rows, q.dtype());
  const auto kernel = table().attention[slot(compute_of(q.dtype()))];
  const Tensor sums = logsums;
  for_blocks(heads, heads.query_blocks(), [&](const AttentionHead& h, Int i, Int first, Int last, void* scratch) {
    kernel(bytes(y) + place(y, 2, i) * heads.item, y.strides()[y.dim() - 2],
           bytes(sums) + i * heads.queries * heads.item, h, first, last, scratch);
  });
  return y;
}

AttentionGradients attention_grad(const Tensor& given, const Tensor& y, const Tensor& logsums, const Tensor& q,
                                  const Tensor& k, const Tensor& v, const Attention& a, bool needs_q, bool needs_kv) {
  const Heads heads(q, k, v, a);
  const Tensor dy = with_dense_rows(given);
  AttentionGradients d;
  if (needs_q) d.q = laid_out_as(heads.q, q.shape().back());
  if (needs_kv) {
    d.k = laid_out_as(heads.k, k.shape().back());
    d.v = laid_out_as(heads.v, v.shape().back());
  }
  const auto kernel = table().attention_grad[slot(compute_of(q.dtype()))];
  const int r = q.dim();
  const auto head = [&](const Tensor& x, Int i) {
    return x.defined() ? bytes(x) + place(x, 2, i) * heads.item : nullptr;
  };
  const auto row = [&](const Tensor& x) { return x.defined() ? x.strides()[r - 2] : 0; };
  const auto compute = [&](const AttentionHead& h, Int i, bool to_q, bool to_kv, Int first_query, Int last_query,
                           Int first_key, Int last_key, void* scratch) {
    kernel(
        {head(dy, i), head(y, i), bytes(logsums) + i * heads.queries * heads.item, to_q ? head(d.q, i) : nullptr,
         to_kv ? head(d.k, i) : nullptr, to_kv ? head(d.v, i) : nullptr, row(dy), row(y), row(d.q), row(d.k), row(d.v)},
        h, first_query, last_query, first_key, last_key, scratch);
  };
  const Int queries = heads.query_blocks(), keys = heads.key_blocks();
  if (heads.count >= num_threads()) {
    for_blocks(heads, 1, [&](const AttentionHead& h, Int i, Int, Int, void* scratch) {
      compute(h, i, needs_q, needs_kv, 0, queries, 0, keys, scratch);
    });
    return d;
  }
  // Too few heads for the threads: blocks of queries, then of keys are spread. Their scores are computed twice, but
  // every sum is added up in the same order as above.
  if (needs_q)
    for_blocks(heads, queries, [&](const AttentionHead& h, Int i, Int first, Int last, void* scratch) {
      compute(h, i, true, false, first, last, 0, keys, scratch);
    });
  if (needs_kv)
    for_blocks(heads, keys, [&](const AttentionHead& h, Int i, Int first, Int last, void* scratch) {
      compute(h, i, false, true, 0, queries, first, last, scratch);
    });
  return d;
}

}  // namespace weft::kernels
