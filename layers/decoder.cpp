#include <weft/layers/decoder.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/attention.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

constexpr double deviation = 0.02;

const DecoderOptions& checked(const DecoderOptions& o) {
  const auto positive = [](const char* what, std::int64_t n) {
    if (n < 1) throw ConfigError(text("decoder: ", what, " is ", n, ", must be 1 or more"));
  };
  positive("vocab_size", o.vocab_size);
  positive("context", o.context);
  positive("d_model", o.d_model);
  positive("nhead", o.nhead);
  positive("num_layers", o.num_layers);
  if (o.dim_feedforward < 0) throw ConfigError(text("decoder: dim_feedforward is ", o.dim_feedforward));
  if (o.d_model % o.nhead != 0)
    throw ConfigError(text("decoder: d_model ", o.d_model, " is not a multiple of the ", o.nhead, " heads"));
  return o;
}
std::int64_t wide(const DecoderOptions& o) { return o.dim_feedforward > 0 ? o.dim_feedforward : 4 * o.d_model; }

Linear dense(std::int64_t in, std::int64_t out, double spread, const DecoderOptions& o, bool bias = true) {
  Linear layer({.in_features = in, .out_features = out, .bias = bias, .dtype = o.dtype});
  initialize::normal(layer.weight, 0, spread);
  if (bias) initialize::constant(layer.bias, 0);
  return layer;
}
Embedding table(std::int64_t rows, const DecoderOptions& o) {
  Embedding e({.num_embeddings = rows, .embedding_dim = o.d_model, .dtype = o.dtype});
  initialize::normal(e.weight, 0, deviation);
  return e;
}
LayerNorm norm_of(const DecoderOptions& o) { return LayerNorm({.normalized_shape = {o.d_model}, .dtype = o.dtype}); }
double added(const DecoderOptions& o) { return deviation / std::sqrt(2.0 * static_cast<double>(o.num_layers)); }

/// The layer on rows (N, in), so that a row's numbers do not depend on how many there are: products of few rows go one
/// way, those of many another, with sums in another order.
Tensor by_row(const Linear& layer, const Tensor& x) {
  constexpr std::int64_t few = 4;
  const std::int64_t n = x.size(0);
  if (n <= few) return linear(x, layer.weight, layer.bias);
  const Tensor y = empty({n, layer.weight.size(0)}, x.dtype());
  for (std::int64_t i = 0; i < n; i += few) {
    const std::int64_t end = std::min(n, i + few);
    kernels::copy_into(slice(y, 0, i, end), linear(slice(x, 0, i, end), layer.weight, layer.bias));
  }
  return y;
}

/// Where the tokens of one call go and what they see.
struct Step {
  std::int64_t rows, length, end;  // end: as many keys are looked at
  std::vector<std::int64_t> begin, counts;
  bool even;    // all rows at one place with whole counts
  Tensor mask;  // (rows, 1, length, end) bool; undefined where `causal` says it all, or one token sees everything
  bool causal = false;
};

Step step_of(const Tensor& ids, const KeyValueCache& cache, std::span<const std::int64_t> counts) {
  if (ids.dim() != 2 || ids.size(0) != cache.rows() || ids.size(1) < 1)
    throw ShapeError(text("decoder: ids are ", ids.shape(), ", the cache is for ", cache.rows(),
                          " rows\n  help: pass ids (rows, tokens), at least one token"));
  Step s{ids.size(0), ids.size(1), 0, cache.lengths, {counts.begin(), counts.end()}, true, {}};
  if (s.counts.empty()) s.counts.assign(static_cast<std::size_t>(s.rows), s.length);
  if (std::ssize(s.counts) != s.rows)
    throw ShapeError(text("decoder: ", s.counts.size(), " counts for ", s.rows, " rows"));
  for (std::size_t r = 0; r < s.counts.size(); ++r) {
    if (s.counts[r] < 0 || s.counts[r] > s.length)
      throw ShapeError(text("decoder: row ", r, " is to have ", s.counts[r], " of ", s.length, " tokens"));
    if (s.begin[r] + s.counts[r] > cache.capacity)
      throw ConfigError(text("decoder: the cache overflows: row ", r, " has ", s.begin[r], " tokens, ", s.counts[r],
                             " more do not fit into ", cache.capacity,
                             "\n  help: make a larger cache, or begin anew with the end of the text"));
    s.end = std::max(s.end, s.begin[r] + s.counts[r]);
    s.even = s.even && s.begin[r] == s.begin[0] && s.counts[r] == s.length;
  }
  s.end = std::max<std::int64_t>(s.end, 1);
  s.causal = s.even && s.begin[0] == 0;
  if (s.causal || (s.even && s.length == 1)) return s;
  s.mask = zeros({s.rows, 1, s.length, s.end}, DType::boolean);
  bool* seen = s.mask.mutable_data<bool>();
  for (std::size_t r = 0; r < s.counts.size(); ++r)
    for (std::int64_t i = 0; i < s.length; ++i, seen += s.end)
      std::fill_n(seen, s.begin[r] + std::min(i + 1, s.counts[r]), true);
  return s;
}

/// (B, heads, L, d) of this call into their places in (B, heads, capacity, d).
void store(const Step& s, const Tensor& to, const Tensor& from) {
  if (s.even) {
    kernels::copy_into(slice(to, 2, s.begin[0], s.begin[0] + s.length), from);
    return;
  }
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t begin = s.begin[static_cast<std::size_t>(r)], count = s.counts[static_cast<std::size_t>(r)];
    if (count > 0)
      kernels::copy_into(slice(select(to, 0, r), 1, begin, begin + count), slice(select(from, 0, r), 1, 0, count));
  }
}

/// x (B L, d_model) through a block. The tiled attention adds up each query's keys in order and block by block, so that
/// it gives a query the same whatever stands beside it.
Tensor through(const DecoderBlock& block, const Tensor& x, const Step& s, const Tensor& keys, const Tensor& values) {
  const std::int64_t width = x.size(1), heads = block.nhead, per_head = width / heads;
  const Tensor parts = permute(reshape(by_row(block.qkv, block.norm1(x)), {s.rows, s.length, 3, heads, per_head}),
                               {2, 0, 3, 1, 4});  // (3, B, heads, L, d)
  store(s, keys, select(parts, 0, 1));
  store(s, values, select(parts, 0, 2));
  Tensor logsums;
  const Tensor seen = kernels::attention(
      select(parts, 0, 0), slice(keys, 2, 0, s.end), slice(values, 2, 0, s.end),
      {.mask = s.mask, .causal = s.causal, .scale = 1 / std::sqrt(static_cast<double>(per_head))}, logsums);
  const Tensor y = x + by_row(block.projection, reshape(transpose(seen, 1, 2), {s.rows * s.length, width}));
  return y + by_row(block.down, gelu(by_row(block.up, block.norm2(y))));
}

}  // namespace

void KeyValueCache::truncate(std::int64_t length) {
  if (length < 0) throw ConfigError(text("decoder: a cache cannot keep ", length, " tokens"));
  for (std::int64_t& n : lengths) n = std::min(n, length);
}

KeyValueCache clone_cache(const KeyValueCache& cache) {
  KeyValueCache copy = cache;
  for (std::vector<Tensor>* all : {&copy.keys, &copy.values})
    for (Tensor& x : *all) x = kernels::copy(x);
  return copy;
}

DecoderBlock::DecoderBlock(const DecoderOptions& o)
    : norm1(norm_of(checked(o))),
      qkv(dense(o.d_model, 3 * o.d_model, deviation, o)),
      projection(dense(o.d_model, o.d_model, added(o), o)),
      norm2(norm_of(o)),
      up(dense(o.d_model, wide(o), deviation, o)),
      down(dense(wide(o), o.d_model, added(o), o)),
      dropout(o.dropout),
      nhead(o.nhead) {}

Tensor DecoderBlock::operator()(const Tensor& x) const {
  const std::int64_t batch = x.size(0), length = x.size(1), width = x.size(2);
  const Tensor parts = permute(reshape(qkv(norm1(x)), {batch, length, 3, nhead, width / nhead}), {2, 0, 3, 1, 4});
  const Tensor seen =
      scaled_dot_product_attention(select(parts, 0, 0), select(parts, 0, 1), select(parts, 0, 2),
                                   {.is_causal = true, .dropout = dropout.mode.training ? dropout.p : 0});
  const Tensor y = x + dropout(projection(reshape(transpose(seen, 1, 2), {batch, length, width})));
  return y + dropout(down(gelu(up(norm2(y)))));
}

Decoder::Decoder(const DecoderOptions& o)
    : tokens(table(checked(o).vocab_size, o)),
      positions(table(o.context, o)),
      dropout(o.dropout),
      blocks(repeat(static_cast<std::size_t>(o.num_layers), [&] { return DecoderBlock(o); })),
      norm(norm_of(o)),
      head(dense(o.d_model, o.vocab_size, deviation, o, false)) {}

Tensor Decoder::operator()(const Tensor& ids) const {
  if (ids.dim() != 2) throw ShapeError(text("decoder: ids are ", ids.shape(), ", not (texts, tokens)"));
  const std::int64_t length = ids.size(1), context = positions.weight.size(0);
  if (length > context)
    throw ShapeError(text("decoder: a text of ", length, " tokens, the model has ", context,
                          " positions\n  help: cut the text, or make a decoder with a longer context"));
  Tensor x = dropout(tokens(ids) + slice(positions.weight, 0, 0, length));
  for (const DecoderBlock& block : blocks) x = block(x);
  return head(norm(x));
}

KeyValueCache Decoder::cache(std::int64_t rows, std::int64_t capacity) const {
  const std::int64_t context = positions.weight.size(0), width = positions.weight.size(1);
  if (rows < 1) throw ConfigError(text("decoder: a cache for ", rows, " rows, must be 1 or more"));
  if (capacity < 0 || capacity > context)
    throw ConfigError(text("decoder: a cache of ", capacity, " tokens, the model has ", context, " positions"));
  KeyValueCache c;
  c.capacity = capacity > 0 ? capacity : context;
  c.lengths.assign(static_cast<std::size_t>(rows), 0);
  for (const DecoderBlock& block : blocks) {
    // Zeros, since what a mask hides is still multiplied by 0.
    const Shape shape = {rows, block.nhead, c.capacity, width / block.nhead};
    c.keys.push_back(zeros(shape, tokens.weight.dtype()));
    c.values.push_back(zeros(shape, tokens.weight.dtype()));
  }
  return c;
}

Tensor Decoder::extend(const Tensor& ids, KeyValueCache& cache, std::span<const std::int64_t> counts) const {
  const NoGrad off;
  if (cache.keys.size() != blocks.size())
    throw ShapeError(text("decoder: a cache of ", cache.keys.size(), " layers, the model has ", blocks.size()));
  const Step s = step_of(ids, cache, counts);
  const std::int64_t context = positions.weight.size(0), width = positions.weight.size(1);
  Tensor place;
  if (s.even) {
    place = slice(positions.weight, 0, s.begin[0], s.begin[0] + s.length);
  } else {
    Tensor at = empty({s.rows, s.length}, DType::int64);
    std::int64_t* p = at.mutable_data<std::int64_t>();
    for (const std::int64_t begin : s.begin)
      for (std::int64_t i = 0; i < s.length; ++i) *p++ = std::min(begin + i, context - 1);
    place = positions(at);
  }
  Tensor x = reshape(tokens(ids) + place, {s.rows * s.length, width});
  for (std::size_t i = 0; i < blocks.size(); ++i) x = through(blocks[i], x, s, cache.keys[i], cache.values[i]);
  for (std::size_t r = 0; r < s.counts.size(); ++r) cache.lengths[r] += s.counts[r];
  return reshape(norm(x), {s.rows, s.length, width});
}

Tensor Decoder::scores(const Tensor& features) const {
  const NoGrad off;
  return by_row(head, features);
}

Tensor Decoder::next(const Tensor& ids, KeyValueCache& cache, std::span<const std::int64_t> counts) const {
  const NoGrad off;
  const Tensor x = extend(ids, cache, counts);
  const std::int64_t rows = x.size(0), length = x.size(1);
  if (counts.empty()) return scores(select(x, 1, -1));
  Tensor last = empty({rows}, DType::int64);
  std::int64_t* p = last.mutable_data<std::int64_t>();
  for (std::int64_t r = 0; r < rows; ++r)
    p[r] = r * length + std::max<std::int64_t>(counts[static_cast<std::size_t>(r)] - 1, 0);
  return scores(index_select(reshape(x, {rows * length, -1}), 0, last));
}

}  // namespace weft
