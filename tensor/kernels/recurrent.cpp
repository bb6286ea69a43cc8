#include <weft/tensor/kernels/math.h>
#include <weft/tensor/kernels/small_gemm.h>

/// Steps of recurrent networks: for a vector of units and a few sequences at a time the product with W_hh runs in
/// registers over all gates at once, and the cell is computed while its numbers are at hand.
namespace weft::kernels {
namespace {

template <class T>
constexpr Int lanes = Vector<T>::lanes;

template <Cell cell>
constexpr int gates_of = cell == Cell::lstm  ? 4
                         : cell == Cell::gru ? 3
                                             : 1;

/// How many sequences fill the registers.
#if defined(__AVX512F__)
template <Cell cell>
constexpr int tile_rows_of = cell == Cell::lstm ? 6 : 8;
#else
template <Cell cell>
constexpr int tile_rows_of = cell == Cell::lstm  ? 2
                             : cell == Cell::gru ? 3
                                                 : 6;
#endif

// ---- W_hh, packed: for each vector of units, row k holds what h[k] adds to each gate of them; b_hh is one more row.
template <class T>
void pack(void* to, const void* weight, const void* bias, Int gates, Int hidden) {
  const Int width = gates * lanes<T>;
  const T* w = static_cast<const T*>(weight);
  const T* b = static_cast<const T*>(bias);
  T* panel = static_cast<T*>(to);
  for (Int unit = 0; unit < hidden; unit += lanes<T>, panel += (hidden + 1) * width) {
    const Int count = hidden - unit < lanes<T> ? hidden - unit : lanes<T>;
    if (count < lanes<T>)
      for (Int i = 0; i < hidden * width; ++i) panel[i] = T(0);
    T* last = panel + hidden * width;
    for (Int g = 0; g < gates; ++g) {
      transpose_any(panel + g * lanes<T>, width, w + (g * hidden + unit) * hidden, hidden, count, hidden);
      for (Int j = 0; j < lanes<T>; ++j) last[g * lanes<T> + j] = b && j < count ? b[g * hidden + unit + j] : T(0);
    }
  }
}
/// For the gradient: panels of two vectors of h's units, one row for each unit of each gate.
template <class T>
void pack_grad(void* to, const void* weight, Int gates, Int hidden) {
  constexpr Int width = 2 * lanes<T>;
  const T* w = static_cast<const T*>(weight);
  T* panel = static_cast<T*>(to);
  for (Int unit = 0; unit < hidden; unit += width, panel += gates * hidden * width)
    small::pack(panel, width, w + unit, hidden, 1, gates * hidden, hidden - unit < width ? hidden - unit : width);
}

/// Row `row`, the units unit + j with j < count; z holds W_hh h + b_hh, a vector for each gate.
template <class T, Cell cell, bool keep>
WEFT_INLINE void compute_cell(const RecurrentStep& s, const T* z, Int row, Int unit, Int count) {
  const Int n = s.hidden, at = row * s.stride * n + unit, dense = row * n + unit;
  T* x = static_cast<T*>(s.gates) + row * s.stride * n * gates_of<cell> + unit;
  T* h = static_cast<T*>(s.h) + at;
  T* extra = keep ? static_cast<T*>(s.extra) + at : nullptr;
  if constexpr (cell == Cell::lstm) {
    T* c = static_cast<T*>(s.c) + dense;
    WEFT_SIMD
    for (Int j = 0; j < count; ++j) {
      const T in = math::sigmoid(x[j] + z[j]), forget = math::sigmoid(x[n + j] + z[lanes<T> + j]);
      const T g = math::tanh(x[2 * n + j] + z[2 * lanes<T> + j]);
      const T out = math::sigmoid(x[3 * n + j] + z[3 * lanes<T> + j]);
      const T old = c[j], next = forget * old + in * g;
      c[j] = next;
      h[j] = out * math::tanh(next);
      if constexpr (keep) {
        x[j] = in;
        x[n + j] = forget;
        x[2 * n + j] = g;
        x[3 * n + j] = out;
        extra[j] = old;
      }
    }
  } else if constexpr (cell == Cell::gru) {
    const T* before = static_cast<const T*>(s.before) + row * s.stride_before * n + unit;
    WEFT_SIMD
    for (Int j = 0; j < count; ++j) {
      const T reset = math::sigmoid(x[j] + z[j]), update = math::sigmoid(x[n + j] + z[lanes<T> + j]);
      const T share = z[2 * lanes<T> + j];
      const T fresh = math::tanh(x[2 * n + j] + reset * share);
      h[j] = fresh + update * (before[j] - fresh);
      if constexpr (keep) {
        x[j] = reset;
        x[n + j] = update;
        x[2 * n + j] = fresh;
        extra[j] = share;
      }
    }
  } else if constexpr (cell == Cell::tanh) {
    WEFT_SIMD
    for (Int j = 0; j < count; ++j) h[j] = math::tanh(x[j] + z[j]);
  } else {
    WEFT_SIMD
    for (Int j = 0; j < count; ++j) h[j] = math::max_nan(x[j] + z[j], T(0));
  }
}

template <class T, Cell cell, int Rows>
void compute_tile(const RecurrentStep& s, const T* panel, Int row, Int unit) {
  constexpr Int width = gates_of<cell> * lanes<T>;
  alignas(64) T z[static_cast<unsigned>(Rows * width)];
  const Int before = s.stride_before * s.hidden;
  small::tile<T, Rows, gates_of<cell>>(z, width, static_cast<const T*>(s.before) + row * before, before, 1, panel,
                                       width, s.hidden, panel + s.hidden * width, width);
  constexpr bool keeps = cell == Cell::lstm || cell == Cell::gru;  // of the others h says all
  const Int count = s.hidden - unit < lanes<T> ? s.hidden - unit : lanes<T>;
  for (Int r = 0; r < Rows; ++r) {
    const T* from = z + r * width;
    if (keeps && s.keep) {
      if (count == lanes<T>)
        compute_cell<T, cell, keeps>(s, from, row + r, unit, lanes<T>);
      else
        compute_cell<T, cell, keeps>(s, from, row + r, unit, count);
    } else if (count == lanes<T>) {
      compute_cell<T, cell, false>(s, from, row + r, unit, lanes<T>);
    } else {
      compute_cell<T, cell, false>(s, from, row + r, unit, count);
    }
  }
}

/// `count` sequences, at most `Rows`.
template <class T, Cell cell, int Rows>
WEFT_INLINE void compute_some(const RecurrentStep& s, const T* panel, Int row, Int count, Int unit) {
  if (count == Rows) return compute_tile<T, cell, Rows>(s, panel, row, unit);
  if constexpr (Rows > 1) compute_some<T, cell, Rows - 1>(s, panel, row, count, unit);
}

/// All sequences in tiles of about one size: the panel is read for each, whatever its size.
template <class T, Cell cell>
WEFT_INLINE void compute_rows(const RecurrentStep& s, const T* panel, Int unit) {
  constexpr Int most = tile_rows_of<cell>;
  const Int tiles = (s.rows + most - 1) / most;
  for (Int i = 0, row = 0; i < tiles; ++i) {
    const Int count = (s.rows - row) / (tiles - i);
    compute_some<T, cell, tile_rows_of<cell>>(s, panel, row, count, unit);
    row += count;
  }
}

template <class T, Cell cell>
void compute(const RecurrentStep& s) {
  const Int panel = (s.hidden + 1) * gates_of<cell> * lanes<T>;
  for (Int unit = s.first; unit < s.last; unit += lanes<T>)
    compute_rows<T, cell>(s, static_cast<const T*>(s.weight) + unit / lanes<T> * panel, unit);
}

template <class T>
void step(const RecurrentStep& s) {
  switch (s.cell) {
    case Cell::tanh: return compute<T, Cell::tanh>(s);
    case Cell::relu: return compute<T, Cell::relu>(s);
    case Cell::lstm: return compute<T, Cell::lstm>(s);
    case Cell::gru: return compute<T, Cell::gru>(s);
  }
}

// ---- backwards

template <class T, Cell cell, bool given>
WEFT_INLINE void cell_grad(const RecurrentGrad& s, Int row) {
  constexpr Int gates = gates_of<cell>;
  const Int n = s.hidden, at = row * s.stride * n;
  const T* x = static_cast<const T*>(s.gates) + at * gates;
  const T* dy = given ? static_cast<const T*>(s.dy) + at : nullptr;
  T* dx = static_cast<T*>(s.dgates) + at * gates;
  T* dh = static_cast<T*>(s.dh) + row * n;
  const auto gradient = [&](Int j) WEFT_INLINE_LAMBDA {
    if constexpr (given)
      return dh[j] + dy[j];
    else
      return dh[j];
  };
  if constexpr (cell == Cell::lstm) {
    const T* old = static_cast<const T*>(s.extra) + at;
    T* dc = static_cast<T*>(s.dc) + row * n;
    WEFT_SIMD
    for (Int j = s.first; j < s.last; ++j) {
      const T in = x[j], forget = x[n + j], g = x[2 * n + j], out = x[3 * n + j];
      const T bent = math::tanh(forget * old[j] + in * g), d = gradient(j);
      const T dcell = dc[j] + d * out * (T(1) - bent * bent);
      dx[j] = dcell * g * in * (T(1) - in);
      dx[n + j] = dcell * old[j] * forget * (T(1) - forget);
      dx[2 * n + j] = dcell * in * (T(1) - g * g);
      dx[3 * n + j] = d * bent * out * (T(1) - out);
      dc[j] = dcell * forget;
      dh[j] = T(0);
    }
  } else if constexpr (cell == Cell::gru) {
    const T* share = static_cast<const T*>(s.extra) + at;
    const T* before = static_cast<const T*>(s.before) + at;
    T* dz = static_cast<T*>(s.dhidden) + at * gates;
    WEFT_SIMD
    for (Int j = s.first; j < s.last; ++j) {
      const T reset = x[j], update = x[n + j], fresh = x[2 * n + j], d = gradient(j);
      const T dfresh = d * (T(1) - update) * (T(1) - fresh * fresh);
      const T dreset = dfresh * share[j] * reset * (T(1) - reset);
      const T dupdate = d * (before[j] - fresh) * update * (T(1) - update);
      dx[j] = dreset;
      dx[n + j] = dupdate;
      dx[2 * n + j] = dfresh;
      dz[j] = dreset;
      dz[n + j] = dupdate;
      dz[2 * n + j] = dfresh * reset;
      dh[j] = d * update;
    }
  } else {
    const T* h = static_cast<const T*>(s.h) + at;
    WEFT_SIMD
    for (Int j = s.first; j < s.last; ++j) {
      const T d = gradient(j);
      dx[j] = cell == Cell::tanh ? d * (T(1) - h[j] * h[j]) : math::choose(h[j] > T(0), d, T(0));
      dh[j] = T(0);
    }
  }
}

template <class T, Cell cell>
void differentiate(const RecurrentGrad& s) {
  constexpr Int width = 2 * lanes<T>;
  const Int depth = gates_of<cell> * s.hidden;
  for (Int unit = s.first; s.next_rows > 0 && unit < s.last; unit += width) {
    const T* panel = static_cast<const T*>(s.weight) + unit * depth;
    const Int count = s.hidden - unit < width ? s.hidden - unit : width;
    T* dh = static_cast<T*>(s.dh) + unit;
    const T* next = static_cast<const T*>(s.next);
    if (count > lanes<T>)
      small::panel_product<T, 2, true>(dh, s.hidden, next, s.stride * depth, 1, panel, width, s.next_rows, depth,
                                       nullptr, count);
    else
      small::panel_product<T, 1, true>(dh, s.hidden, next, s.stride * depth, 1, panel, width, s.next_rows, depth,
                                       nullptr, count);
  }
  for (Int r = 0; r < s.rows; ++r) {
    if (s.dy)
      cell_grad<T, cell, true>(s, r);
    else
      cell_grad<T, cell, false>(s, r);
  }
}

template <class T>
void grad(const RecurrentGrad& s) {
  switch (s.cell) {
    case Cell::tanh: return differentiate<T, Cell::tanh>(s);
    case Cell::relu: return differentiate<T, Cell::relu>(s);
    case Cell::lstm: return differentiate<T, Cell::lstm>(s);
    case Cell::gru: return differentiate<T, Cell::gru>(s);
  }
}

template <class T>
void install_type(KernelTable& t, int i) {
  t.recurrent_pack[i] = pack<T>;
  t.recurrent_pack_grad[i] = pack_grad<T>;
  t.recurrent_step[i] = step<T>;
  t.recurrent_grad[i] = grad<T>;
}

}  // namespace

void WEFT_LEVELED(install_recurrent)(KernelTable& t) {
  install_type<float>(t, 0);
  install_type<double>(t, 1);
}

}  // namespace weft::kernels
