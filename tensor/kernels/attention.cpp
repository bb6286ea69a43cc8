#include <weft/tensor/kernels/math.h>
#include <weft/tensor/kernels/small_gemm.h>

/// Attention of one head, tile by tile: no more than attention_keys x attention_queries scores exist at a time. Forward
/// each query carries its largest score so far and its sum along (Milakov and Gimelshein 2018, Rabe and Staats 2021,
/// Dao et al. 2022); backward the tiles are computed again from the logarithms of the sums. A tile has its queries side
/// by side, so that vectors hold the same key for many queries and nothing is ever added up across a vector.
namespace weft::kernels {
namespace {

template <class T>
constexpr Int width = 2 * Vector<T>::lanes;
constexpr Int ld = attention_queries;

constexpr Int smaller(Int a, Int b) { return a < b ? a : b; }
constexpr Int rounded(Int n, Int to) { return (n + to - 1) / to * to; }

/// b (k x n) in panels of two vectors; takes k times n rounded up.
template <class T>
void pack_panels(T* to, const T* b, Int row_b, Int column_b, Int k, Int n) {
  for (Int j = 0; j < n; j += width<T>)
    small::pack(to + j * k, width<T>, b + j * column_b, row_b, column_b, k, smaller(n - j, width<T>));
}
/// c (m x n) = a (m x k) times panels, or c += it.
template <class T, bool Add>
void multiply(T* c, Int ld_c, const T* a, Int row_a, Int column_a, const T* panels, Int m, Int n, Int k) {
  for (Int j = 0; j < n; j += width<T>) {
    const Int columns = smaller(n - j, width<T>);
    if (columns > Vector<T>::lanes)
      small::panel_product<T, 2, Add>(c + j, ld_c, a, row_a, column_a, panels + j * k, width<T>, m, k, nullptr,
                                      columns);
    else
      small::panel_product<T, 1, Add>(c + j, ld_c, a, row_a, column_a, panels + j * k, width<T>, m, k, nullptr,
                                      columns);
  }
}

/// Cuts the scratch memory into aligned parts; without memory it only counts.
template <class T>
struct Cut {
  T* at;
  Int used = 0;
  T* operator()(Int n) {
    T* part = at ? at + used : nullptr;
    used += rounded(n, 16);
    return part;
  }
};

/// What both directions need of a block of queries.
template <class T>
struct Queries {
  T *q, *turned_q, *scores, *kept;
  float* random;
  Int first = 0, rows = 0, whole = 0;  // whole: in whole vectors, whose rest holds numbers of no meaning
  Queries(Cut<T>& cut, const AttentionHead& h)
      : q(cut(attention_queries * h.width)),
        turned_q(cut(attention_queries * h.width)),
        scores(cut(attention_keys * ld)),
        kept(cut(h.dropout > 0 ? attention_keys * ld : 0)),
        random(reinterpret_cast<float*>(cut(attention_keys))) {}

  /// q's rows of block i, scaled.
  void load(const AttentionHead& h, Int i) {
    first = i * attention_queries;
    rows = smaller(h.queries - first, attention_queries);
    whole = rounded(rows, Vector<T>::lanes);
    const T* from = static_cast<const T*>(h.q) + first * h.row_q;
    const T scale = static_cast<T>(h.scale);
    for (Int r = 0; r < rows; ++r) {
      WEFT_SIMD
      for (Int e = 0; e < h.width; ++e) q[r * h.width + e] = from[r * h.row_q + e] * scale;
    }
    pack_panels(turned_q, static_cast<const T*>(q), 1, h.width, h.width, rows);
  }
  /// How many keys the last of these queries may see.
  Int reach(const AttentionHead& h) const { return h.causal ? smaller(h.keys, first + rows) : h.keys; }

  /// scores (keys, rows) of keys `key` to key + n; -inf where a query may not look.
  void score(const AttentionHead& h, Int key, Int n) {
    multiply<T, false>(scores, ld, static_cast<const T*>(h.k) + key * h.row_k, h.row_k, 1, turned_q, n, whole, h.width);
    for (Int j = 0; j < n && (h.mask || h.causal); ++j) {
      T* s = scores + j * ld;
      const Int at = first * h.mask_row + (key + j) * h.mask_column, step = h.mask_row;
      if (h.mask && h.mask_numbers) {
        const T* m = static_cast<const T*>(h.mask) + at;
        WEFT_SIMD
        for (Int r = 0; r < rows; ++r) {
          const T add = m[r * step];
          s[r] = math::choose(add == -infinity<T>, add, s[r] + add);
        }
      } else if (h.mask) {
        const bool* m = static_cast<const bool*>(h.mask) + at;
        WEFT_SIMD
        for (Int r = 0; r < rows; ++r) s[r] = math::choose(m[r * step], s[r], -infinity<T>);
      }
      for (Int r = 0; h.causal && r < rows && first + r < key + j; ++r) s[r] = -infinity<T>;
    }
  }
  /// What dropout multiplies each score of a tile with: 0 or 1 / (1 - p).
  void drop(const AttentionHead& h, Int key, Int n) {
    const T factor = h.dropout == 1 ? T(0) : static_cast<T>(1 / (1 - h.dropout));
    for (Int r = 0; r < rows; ++r) {
      const auto at = static_cast<std::uint64_t>((first + r) * h.keys + key);
      h.bernoulli(random, n, 1 - h.dropout, h.seed, h.offset + at);
      for (Int j = 0; j < n; ++j) kept[j * ld + r] = static_cast<T>(random[j]) * factor;
    }
  }
};

template <class T>
struct Forward {
  Queries<T> block;
  T *values, *sums, *top, *total, *shrink;
  Forward(Cut<T>& cut, const AttentionHead& h)
      : block(cut, h),
        values(cut(h.keys * rounded(h.values, width<T>))),
        sums(cut(attention_queries * h.values)),
        top(cut(ld)),
        total(cut(ld)),
        shrink(cut(ld)) {}
};

/// Scores to weights exp(score - top so far), with `top`, `total` and what earlier sums are to be multiplied with.
template <class T>
void weigh(Forward<T>& f, Int n) {
  const Int rows = f.block.whole;
  T shift[ld], sum[ld];
  for (Int r = 0; r < rows; ++r) shift[r] = f.top[r];
  for (Int j = 0; j < n; ++j) {
    const T* s = f.block.scores + j * ld;
    WEFT_SIMD
    for (Int r = 0; r < rows; ++r) shift[r] = math::max_nan(s[r], shift[r]);
  }
  WEFT_SIMD
  for (Int r = 0; r < rows; ++r) {
    const T top = shift[r];
    shift[r] = math::choose(top == -infinity<T>, T(0), top);  // nothing seen yet
    f.shrink[r] = math::exp_negative(f.top[r] - shift[r]);
    f.top[r] = top;
    sum[r] = T(0);
  }
  for (Int j = 0; j < n; ++j) {
    T* s = f.block.scores + j * ld;
    WEFT_SIMD
    for (Int r = 0; r < rows; ++r) {
      const T weight = math::exp_negative(s[r] - shift[r]);
      s[r] = weight;
      sum[r] += weight;
    }
  }
  WEFT_SIMD
  for (Int r = 0; r < rows; ++r) f.total[r] = f.total[r] * f.shrink[r] + sum[r];
}

template <class T>
void attention(void* y, Int row_y, void* logsums, const AttentionHead& h, Int first, Int last, void* scratch) {
  Cut<T> cut{static_cast<T*>(scratch)};
  Forward<T> f(cut, h);
  Queries<T>& b = f.block;
  const Int values = rounded(h.values, width<T>);
  for (Int key = 0; key < h.keys; key += attention_keys)
    pack_panels(f.values + key * values, static_cast<const T*>(h.v) + key * h.row_v, h.row_v, 1,
                smaller(h.keys - key, attention_keys), h.values);
  // Without any key to see a row is 0; that no score is finite where all may be seen is a matter of the numbers.
  const T nothing = h.causal || h.mask ? T(0) : not_a_number<T>;
  for (Int i = first; i < last; ++i) {
    b.load(h, i);
    for (Int r = 0; r < b.whole; ++r) {
      f.top[r] = -infinity<T>;
      f.total[r] = T(0);
    }
    for (Int j = 0; j < b.rows * h.values; ++j) f.sums[j] = T(0);
    const Int reach = b.reach(h);
    for (Int key = 0; key < reach; key += attention_keys) {
      const Int n = smaller(reach - key, attention_keys), length = smaller(h.keys - key, attention_keys);
      b.score(h, key, n);
      weigh(f, n);
      if (h.dropout > 0) {
        b.drop(h, key, n);
        for (Int j = 0; j < n; ++j)
          for (Int r = 0; r < b.rows; ++r) b.scores[j * ld + r] *= b.kept[j * ld + r];
      }
      for (Int r = 0; key > 0 && r < b.rows; ++r) {
        T* out = f.sums + r * h.values;
        WEFT_SIMD
        for (Int j = 0; j < h.values; ++j) out[j] *= f.shrink[r];
      }
      // The panels of this block are as deep as the block, of which causal queries may need less.
      for (Int j = 0; j < h.values; j += width<T>)
        multiply<T, true>(f.sums + j, h.values, b.scores, 1, ld, f.values + key * values + j * length, b.rows,
                          smaller(h.values - j, width<T>), n);
    }
    for (Int r = 0; r < b.rows; ++r) {
      const T total = f.total[r], factor = T(1) / total;
      T* out = static_cast<T*>(y) + (b.first + r) * row_y;
      const T* from = f.sums + r * h.values;
      const bool empty = total == T(0);
      static_cast<T*>(logsums)[b.first + r] = empty ? infinity<T> : f.top[r] + static_cast<T>(math::log(total));
      WEFT_SIMD
      for (Int j = 0; j < h.values; ++j) out[j] = math::choose(empty, nothing, from[j] * factor);
    }
  }
}

template <class T>
struct Backward {
  Queries<T> block;
  T *keys, *dy, *turned_dy, *packed_q, *packed_dy, *slopes, *logsums, *dots;
  Backward(Cut<T>& cut, const AttentionHead& h)
      : block(cut, h),
        keys(cut(attention_keys * rounded(h.width, width<T>))),
        dy(cut(attention_queries * h.values)),
        turned_dy(cut(attention_queries * h.values)),
        packed_q(cut(attention_queries * rounded(h.width, width<T>))),
        packed_dy(cut(attention_queries * rounded(h.values, width<T>))),
        slopes(cut(attention_keys * ld)),
        logsums(cut(ld)),
        dots(cut(ld)) {}

  /// What belongs to the block's queries: dy, its inner products with y, the logarithms of the sums.
  void load(const AttentionGrad& g, const AttentionHead& h) {
    for (Int r = block.rows; r < block.whole; ++r) dots[r] = logsums[r] = T(0);
    for (Int r = 0; r < block.rows; ++r) {
      const T* from = static_cast<const T*>(g.dy) + (block.first + r) * g.row_dy;
      const T* y = static_cast<const T*>(g.y) + (block.first + r) * g.row_y;
      T* to = dy + r * h.values;
      T dot = T(0);
      _Pragma("omp simd reduction(+ : dot)") for (Int j = 0; j < h.values; ++j) {
        to[j] = from[j];
        dot += from[j] * y[j];
      }
      dots[r] = dot;
      logsums[r] = static_cast<const T*>(g.logsums)[block.first + r];
    }
    pack_panels(turned_dy, static_cast<const T*>(dy), 1, h.values, h.values, block.rows);
    if (!g.dk) return;
    pack_panels(packed_q, static_cast<const T*>(block.q), h.width, 1, block.rows, h.width);
    pack_panels(packed_dy, static_cast<const T*>(dy), h.values, 1, block.rows, h.values);
  }
};

/// Scores to the weights that v was multiplied with, and their gradients to those of the scores.
template <class T, bool dropping>
void slope(const Backward<T>& f, Int n) {
  for (Int j = 0; j < n; ++j) {
    T* p = f.block.scores + j * ld;
    T* d = f.slopes + j * ld;
    const T* kept = dropping ? f.block.kept + j * ld : nullptr;
    WEFT_SIMD
    for (Int r = 0; r < f.block.whole; ++r) {
      const T weight = math::exp_negative(p[r] - f.logsums[r]);
      const T share = dropping ? kept[r] : T(1);
      // What is not seen may be infinite.
      d[r] = math::choose(weight == T(0), T(0), weight * (d[r] * share - f.dots[r]));
      p[r] = weight * share;
    }
  }
}

template <class T>
void clear_rows(void* x, Int row, Int first, Int last, Int n) {
  for (Int r = first; r < last; ++r)
    for (Int j = 0; j < n; ++j) static_cast<T*>(x)[r * row + j] = T(0);
}

template <class T>
void attention_grad(const AttentionGrad& g, const AttentionHead& h, Int first_query, Int last_query, Int first_key,
                    Int last_key, void* scratch) {
  Cut<T> cut{static_cast<T*>(scratch)};
  Backward<T> f(cut, h);
  Queries<T>& b = f.block;
  if (g.dq)
    clear_rows<T>(g.dq, g.row_dq, first_query * attention_queries, smaller(last_query * attention_queries, h.queries),
                  h.width);
  for (Int block = first_key; block < last_key; ++block) {
    const Int key = block * attention_keys, n = smaller(h.keys - key, attention_keys);
    const T* v = static_cast<const T*>(h.v) + key * h.row_v;
    T* dk = g.dk ? static_cast<T*>(g.dk) + key * g.row_dk : nullptr;
    T* dv = g.dv ? static_cast<T*>(g.dv) + key * g.row_dv : nullptr;
    if (g.dq) {
      pack_panels(f.keys, static_cast<const T*>(h.k) + key * h.row_k, h.row_k, 1, n, h.width);
      const T scale = static_cast<T>(h.scale);
      for (Int j = 0; j < n * rounded(h.width, width<T>); ++j) f.keys[j] *= scale;
    }
    if (g.dk) {
      clear_rows<T>(dk, g.row_dk, 0, n, h.width);
      clear_rows<T>(dv, g.row_dv, 0, n, h.values);
    }
    for (Int i = first_query; i < last_query; ++i) {
      if (h.causal && key >= smaller((i + 1) * attention_queries, h.queries)) continue;
      b.load(h, i);
      f.load(g, h);
      b.score(h, key, n);
      multiply<T, false>(f.slopes, ld, v, h.row_v, 1, f.turned_dy, n, b.whole, h.values);
      if (h.dropout > 0) {
        b.drop(h, key, n);
        slope<T, true>(f, n);
      } else {
        slope<T, false>(f, n);
      }
      if (g.dk) {
        multiply<T, true>(dv, g.row_dv, b.scores, ld, 1, f.packed_dy, n, h.values, b.rows);
        multiply<T, true>(dk, g.row_dk, f.slopes, ld, 1, f.packed_q, n, h.width, b.rows);
      }
      if (g.dq)
        multiply<T, true>(static_cast<T*>(g.dq) + b.first * g.row_dq, g.row_dq, f.slopes, 1, ld, f.keys, b.rows,
                          h.width, n);
    }
  }
}

/// How many elements of scratch memory either direction needs.
template <class T>
Int scratch(const AttentionHead& h) {
  Cut<T> forward{nullptr}, backward{nullptr};
  const Forward<T> f(forward, h);
  const Backward<T> b(backward, h);
  return forward.used > backward.used ? forward.used : backward.used;
}

template <class T>
void install_type(KernelTable& t, int i) {
  t.attention_scratch[i] = scratch<T>;
  t.attention[i] = attention<T>;
  t.attention_grad[i] = attention_grad<T>;
}

}  // namespace

void WEFT_LEVELED(install_attention)(KernelTable& t) {
  install_type<float>(t, 0);
  install_type<double>(t, 1);
}

}  // namespace weft::kernels
