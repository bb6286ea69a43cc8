#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <weft/tensor/dispatch.h>

/// Order along an axis, and counting. A thread takes whole lines.
namespace weft::kernels {
namespace {

template <class T>
struct Entry {
  T value;
  Int place;
};

/// NaN is the largest of all.
template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(b)) return !std::isnan(a);
  return a < b;
}
/// In a complete order, so that partial sorts give the same as a stable one.
template <class T>
bool rising(const Entry<T>& a, const Entry<T>& b) {
  return less(a.value, b.value) || (!less(b.value, a.value) && a.place < b.place);
}
template <class T>
bool falling(const Entry<T>& a, const Entry<T>& b) {
  return less(b.value, a.value) || (!less(a.value, b.value) && a.place < b.place);
}

/// Calls run(T()) for the type that x is computed in.
template <class Run>
void by_type(const Tensor& x, Run&& run) {
  switch (compute_of(x.dtype())) {
    case Compute::f32: run(float()); break;
    case Compute::f64: run(double()); break;
    case Compute::i64: run(Int()); break;
  }
}

/// Hands each line of x along an axis to choose(entries), which moves what is wanted to the front; the first
/// `count` values and places are the result.
template <class Choose>
Tensor choose_lines(const Tensor& x, int axis, Int count, Tensor& places, Choose choose) {
  const Tensor dense = contiguous(cast(x, native(x.dtype())));
  const Around a = x.dim() == 0 ? Around{} : around(x.shape(), axis);
  Shape shape = x.shape();
  if (x.dim() > 0) shape[axis] = count;
  Tensor y = empty(shape, dense.dtype());
  places = empty(shape, DType::int64);
  if (y.numel() == 0) return cast(y, x.dtype());
  by_type(dense, [&](auto number) {
    using T = decltype(number);
    const T* in = reinterpret_cast<const T*>(bytes(dense));
    T* out = reinterpret_cast<T*>(bytes(y));
    Int* at = reinterpret_cast<Int*>(bytes(places));
    parallel_for(a.before * a.behind, grain / (8 * a.along) + 1, [&](Int begin, Int end) {
      std::vector<Entry<T>> line(static_cast<std::size_t>(a.along));
      for (Int l = begin; l < end; ++l) {
        const Int from = l / a.behind * a.along * a.behind + l % a.behind;
        const Int to = l / a.behind * count * a.behind + l % a.behind;
        for (Int i = 0; i < a.along; ++i) line[static_cast<std::size_t>(i)] = {in[from + i * a.behind], i};
        choose(line);
        for (Int i = 0; i < count; ++i) {
          out[to + i * a.behind] = line[static_cast<std::size_t>(i)].value;
          at[to + i * a.behind] = line[static_cast<std::size_t>(i)].place;
        }
      }
    });
  });
  return cast(y, x.dtype());
}

template <class T>
void sort_line(std::vector<Entry<T>>& line, bool descending) {
  std::sort(line.begin(), line.end(), descending ? falling<T> : rising<T>);
}

template <class T>
void to_front(std::vector<Entry<T>>& line, Int place) {
  const auto at = line.begin() + place;
  std::nth_element(line.begin(), at, line.end(), rising<T>);
  std::iter_swap(line.begin(), at);
}

/// As int64 in row-major order, or undefined.
Tensor whole(const Tensor& x) { return x.defined() ? contiguous(cast(x, DType::int64)) : x; }

}  // namespace

Tensor sort(const Tensor& x, int axis, bool descending, Tensor& places) {
  const int k = normalize_axis("sort", axis, x.dim());
  return choose_lines(x, k, x.dim() == 0 ? 1 : x.shape()[k], places, [=](auto& line) { sort_line(line, descending); });
}

Tensor argsort(const Tensor& x, int axis, bool descending) {
  const int k = normalize_axis("argsort", axis, x.dim());
  Tensor places;
  sort(x, k, descending, places);
  return places;
}

Tensor topk(const Tensor& x, Int count, int axis, bool largest, Tensor& places) {
  const int k = normalize_axis("topk", axis, x.dim());
  return choose_lines(x, k, count, places, [=]<class T>(std::vector<Entry<T>>& line) {
    std::partial_sort(line.begin(), line.begin() + count, line.end(), largest ? falling<T> : rising<T>);
  });
}

Tensor kthvalue(const Tensor& x, Int count, int axis, Tensor& places) {
  const int k = normalize_axis("kthvalue", axis, x.dim());
  return choose_lines(x, k, 1, places, [=](auto& line) { to_front(line, count - 1); });
}

Tensor median(const Tensor& x, int axis, Tensor& places) {
  const int k = normalize_axis("median", axis, x.dim());
  return choose_lines(x, k, 1, places, [](auto& line) {
    for (auto& each : line)
      if (each.value != each.value) {
        line.front() = each;
        return;
      }
    to_front(line, (static_cast<Int>(line.size()) - 1) / 2);
  });
}

Tensor searchsorted(const Tensor& sequence, const Tensor& values, bool right, const Tensor& sorter) {
  const DType type = native(promote(sequence.dtype(), values.dtype()));
  const Tensor edges = contiguous(cast(sequence, type)), wanted = contiguous(cast(values, type)), order = whole(sorter);
  Tensor y = empty(values.shape(), DType::int64);
  if (y.numel() == 0) return y;
  const Int n = sequence.shape().back(), m = sequence.dim() == 1 ? values.numel() : values.shape().back();
  Int* out = reinterpret_cast<Int*>(bytes(y));
  const Int* place = order.defined() ? reinterpret_cast<const Int*>(bytes(order)) : nullptr;
  if (place)
    for (Int i = 0; i < order.numel(); ++i)
      if (place[i] < 0 || place[i] >= n)
        throw ConfigError(text("searchsorted: the sorter holds ", place[i], ", which is no place among ", n));
  by_type(edges, [&](auto number) {
    using T = decltype(number);
    const T* from = reinterpret_cast<const T*>(bytes(edges));
    const T* v = reinterpret_cast<const T*>(bytes(wanted));
    parallel_for(y.numel(), grain / 8, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const Int line = i / m * n;
        Int low = 0, high = n;
        while (low < high) {
          const Int middle = low + (high - low) / 2;
          const T edge = from[line + (place ? place[line + middle] : middle)];
          if (right ? !less(v[i], edge) : less(edge, v[i]))
            low = middle + 1;
          else
            high = middle;
        }
        out[i] = low;
      }
    });
  });
  return y;
}

Tensor bincount(const Tensor& ids, const Tensor& weights, Int least) {
  const Tensor numbers = whole(ids);
  const Int* id = reinterpret_cast<const Int*>(bytes(numbers));
  Int size = least;
  for (Int i = 0; i < numbers.numel(); ++i) {
    if (id[i] < 0) throw ConfigError(text("bincount: number ", id[i], " at position ", i, " is negative"));
    if (id[i] == std::numeric_limits<Int>::max())
      throw ConfigError(text("bincount: number ", id[i], " at position ", i, " is too large to count up to"));
    if (id[i] >= size) size = id[i] + 1;
  }
  if (!weights.defined()) {
    Tensor y = zeros({size}, DType::int64);
    Int* count = reinterpret_cast<Int*>(bytes(y));
    for (Int i = 0; i < numbers.numel(); ++i) ++count[id[i]];
    return y;
  }
  const Tensor dense = contiguous(cast(weights, DType::float64));
  const double* weight = reinterpret_cast<const double*>(bytes(dense));
  Tensor y = zeros({size}, DType::float64);
  double* sum = reinterpret_cast<double*>(bytes(y));
  for (Int i = 0; i < numbers.numel(); ++i) sum[id[i]] += weight[i];
  return y;
}

Tensor histogram(const Tensor& x, Int bins, double low, double high) {
  const Tensor dense = contiguous(x);
  Tensor y = zeros({bins}, x.dtype());
  const auto run = [&]<class T>(T) {
    const T* v = reinterpret_cast<const T*>(bytes(dense));
    T* count = reinterpret_cast<T*>(bytes(y));
    // Edges and places are numbers of x's own type, which decides where a value close to an edge goes.
    const T first = static_cast<T>(low), last = static_cast<T>(high), parts = static_cast<T>(bins);
    for (Int i = 0; i < x.numel(); ++i) {
      if (!(v[i] >= first && v[i] <= last)) continue;
      const T share = (v[i] - first) * parts / (last - first);
      count[share < parts ? static_cast<Int>(share) : bins - 1] += T(1);
    }
  };
  if (x.dtype() == DType::float64)
    run(double());
  else
    run(float());
  return y;
}

}  // namespace weft::kernels
