#include <weft/tensor/convolution.h>

#include <algorithm>

#include <weft/tensor/allocator.h>
#include <weft/tensor/dispatch.h>
#include <weft/tensor/precision.h>

#ifdef WEFT_ONEDNN
#include <weft/tensor/onednn/onednn.h>
#endif

/// Convolution as products of matrices, in channels-last memory. A row of the left matrix holds what lies under the
/// taps of one window, channel by channel. The transpose by the input is a convolution too, one for each remainder of
/// the position by the stride, so that all three passes gather and none scatters: every part of a result belongs to
/// one thread, and the numbers do not depend on how many there are.
namespace weft {

Dims PerAxis::on(const char* op, const char* option, int axes, std::int64_t lowest) const {
  if (values_.size() != 1 && values_.size() != axes)
    throw ConfigError(text(op, ": ", option, " has ", values_.size(), " numbers for ", axes, " spatial axes"));
  constexpr std::int64_t most = 1 << 30;  // products of two fit with room to spare
  Dims all = Dims::filled(axes, 0);
  for (int a = 0; a < axes; ++a) {
    all[a] = values_.size() == 1 ? values_[0] : values_[a];
    if (all[a] < lowest)
      throw ConfigError(text(op, ": ", option, " is ", all[a], "\n  help: choose at least ", lowest));
    if (all[a] > most) throw ConfigError(text(op, ": ", option, " is ", all[a], "\n  help: choose at most ", most));
  }
  return all;
}

namespace kernels {
namespace {

/// The strides of a dense tensor with its channels innermost.
Strides channels_last_strides(const Shape& shape) {
  Strides s = Strides::filled(shape.size(), 1);
  Int step = shape[1];
  for (int a = shape.size() - 1; a >= 2; --a) {
    s[a] = step;
    step *= shape[a];
  }
  s[0] = step;
  return s;
}

}  // namespace

bool is_channels_last(const Tensor& x) noexcept {
  if (x.dim() < 3) return false;
  const Strides dense = channels_last_strides(x.shape());
  for (int a = 0; a < x.dim(); ++a)
    if (x.shape()[a] > 1 && x.strides()[a] != dense[a]) return false;
  return true;
}

Tensor empty_channels_last(const Shape& shape, DType dtype) {
  const Tensor memory = empty(shape, dtype);
  return view_as(memory, shape, channels_last_strides(shape));
}

Tensor channels_last(const Tensor& x) {
  if (is_channels_last(x)) return x;
  const Tensor y = empty_channels_last(x.shape(), x.dtype());
  copy_into(y, x);
  return y;
}

namespace {

/// Memory for one thread's part of a call.
template <class T>
class Scratch {
 public:
  explicit Scratch(Int n)
      : bytes_(static_cast<std::size_t>(n) * sizeof(T)),
        data_(n > 0 ? static_cast<T*>(allocate_memory(bytes_)) : nullptr) {}
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    if (data_) deallocate_memory(data_, bytes_);
  }
  operator T*() const noexcept { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

/// One spatial axis: position `p` of the grid looks at the places p * step + offset of the source, one per tap.
struct Line {
  Int grid = 1, step = 0, source = 1;
  std::vector<Int> offsets{0};
  /// Where the results go: grid position p is place start + p * stride of `size`.
  Int start = 0, stride = 1, size = 1;
};

/// What rows hold: one per image and grid position, the taps' channels one after the other. Always three axes.
struct Grid {
  Line line[3];
  Int batch = 1;
  Int channels = 1;  ///< per tap and group
  Int pitch = 1;     ///< of the source: channels of all groups

  Int taps() const {
    Int n = 1;
    for (const Line& l : line) n *= static_cast<Int>(l.offsets.size());
    return n;
  }
  Int columns() const { return taps() * channels; }
  Int rows() const { return batch * line[0].grid * line[1].grid * line[2].grid; }
  /// Whether the results lie one after the other.
  bool dense() const {
    for (const Line& l : line)
      if (l.start != 0 || l.stride != 1 || l.size != l.grid) return false;
    return true;
  }
  /// Whether a row is just the source's channels at the same position.
  bool pointwise() const {
    for (const Line& l : line)
      if (l.offsets.size() != 1 || l.offsets[0] != 0 || l.grid != l.source || (l.step != 1 && l.grid > 1)) return false;
    return true;
  }
};

/// A row's image and grid position, counted on without divisions.
struct Position {
  Int image, at[3];
  const Grid& grid;

  Position(const Grid& g, Int row) : grid(g) {
    for (int a = 2; a >= 0; --a) {
      at[a] = row % g.line[a].grid;
      row /= g.line[a].grid;
    }
    image = row;
  }
  void next() {
    for (int a = 2; a >= 0; --a) {
      if (++at[a] < grid.line[a].grid) return;
      at[a] = 0;
    }
    ++image;
  }
  Int result_row() const {
    Int row = image;
    for (int a = 0; a < 3; ++a) row = row * grid.line[a].size + grid.line[a].start + at[a] * grid.line[a].stride;
    return row;
  }
};

template <class T>
T* put(T* to, const T* from, Int n) {
  if (n > 16)
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  else
    for (Int i = 0; i < n; ++i) to[i] = from[i];
  return to + n;
}
template <class T>
T* put_zeros(T* to, Int n) {
  for (Int i = 0; i < n; ++i) to[i] = T(0);
  return to + n;
}

bool inside(Int place, const Line& line) { return place >= 0 && place < line.source; }

/// Writes rows [begin, end); `from` is the source at the first channel of the group.
template <class T>
void gather(T* to, const T* from, const Grid& g, Int begin, Int end) {
  const Line &x = g.line[0], &y = g.line[1], &z = g.line[2];
  const Int taps = static_cast<Int>(z.offsets.size());
  // Neighbouring taps that read neighbouring places: one piece of memory.
  bool together = g.channels == g.pitch;
  for (std::size_t t = 1; t < z.offsets.size(); ++t) together &= z.offsets[t] == z.offsets[t - 1] + 1;
  Position p(g, begin);
  for (Int row = begin; row < end; ++row, p.next()) {
    for (const Int offset_x : x.offsets) {
      const Int i = p.at[0] * x.step + offset_x;
      for (const Int offset_y : y.offsets) {
        const Int j = p.at[1] * y.step + offset_y;
        if (!inside(i, x) || !inside(j, y)) {
          to = put_zeros(to, taps * g.channels);
          continue;
        }
        const T* line = from + ((p.image * x.source + i) * y.source + j) * z.source * g.pitch;
        const Int first = p.at[2] * z.step;
        if (together) {
          const Int place = first + z.offsets[0];
          const Int low = std::clamp<Int>(-place, 0, taps), high = std::clamp<Int>(z.source - place, low, taps);
          to = put_zeros(to, low * g.channels);
          to = put(to, line + (place + low) * g.pitch, (high - low) * g.channels);
          to = put_zeros(to, (taps - high) * g.channels);
          continue;
        }
        for (const Int offset_z : z.offsets) {
          const Int k = first + offset_z;
          to = inside(k, z) ? put(to, line + k * g.pitch, g.channels) : put_zeros(to, g.channels);
        }
      }
    }
  }
}

/// Rows times the matrices of the groups: results[row][group * n + j] = sum over k of rows[row][k] * b[group][k][j].
template <class T>
struct Job {
  const Grid& grid;
  const T* source;
  Int groups, n;
  const T* b;
  Int group_b, row_b, column_b;
  const T* bias;
  T* result;
};

constexpr Compute compute_of(const float*) { return Compute::f32; }
constexpr Compute compute_of(const double*) { return Compute::f64; }

template <class T>
void multiply(T* c, Int ld_c, const T* a, Int row_a, Int column_a, const T* b, Int row_b, Int column_b, Int m, Int n,
              Int k, const T* bias, T* work) {
  table().gemm[slot(compute_of(c))](c, ld_c, a, row_a, column_a, b, row_b, column_b, m, n, k, bias, work);
}

/// Rows per tile: few enough for the caches, and enough tiles for many threads.
Int tile_rows(Int rows, Int columns, Int groups) {
  constexpr Int budget = Int{1} << 19, parts = 64;
  const Int fits = std::clamp<Int>(budget / std::max<Int>(columns, 1), 64, 1024);
  return std::min(fits, std::max<Int>(32, rows * groups / parts));
}

template <class T>
void run(const Job<T>& job) {
  const Grid& g = job.grid;
  const Int rows = g.rows(), columns = g.columns(), pitch = job.groups * job.n;
  if (rows == 0 || pitch == 0) return;
  const bool direct = g.pointwise(), dense = g.dense();
  const Int tile = tile_rows(rows, columns, job.groups), tiles = (rows + tile - 1) / tile;
  const Int work = tile * std::max<Int>(columns, 1) * job.n;
  parallel_for(tiles * job.groups, grain * 16 / work + 1, [&](Int begin, Int end) {
    const Scratch<T> matrix(direct ? 0 : tile * columns), pack(columns ? gemm_scratch : 0),
        product(dense ? 0 : tile * job.n);
    for (Int unit = begin; unit < end; ++unit) {
      const Int group = unit % job.groups, first = unit / job.groups * tile, count = std::min(tile, rows - first);
      const T* source = job.source + group * g.channels;
      const T* bias = job.bias ? job.bias + group * job.n : nullptr;
      T* c = dense ? job.result + first * pitch + group * job.n : product;
      const Int ld = dense ? pitch : job.n;
      if (columns == 0) {
        for (Int r = 0; r < count; ++r)
          for (Int j = 0; j < job.n; ++j) c[r * ld + j] = bias ? bias[j] : T(0);
      } else {
        if (!direct) gather<T>(matrix, source, g, first, first + count);
        const T* a = direct ? source + first * g.pitch : static_cast<const T*>(matrix);
        multiply<T>(c, ld, a, direct ? g.pitch : columns, 1, job.b + group * job.group_b, job.row_b, job.column_b,
                    count, job.n, columns, bias, pack);
      }
      if (dense) continue;
      Position p(g, first);
      for (Int r = 0; r < count; ++r, p.next())
        put(job.result + p.result_row() * pitch + group * job.n, c + r * ld, job.n);
    }
  });
}

/// The same where each group has one input channel and `many` results (or, towards the input, the other way round):
/// products of such slim matrices would be slow. weight[tap][result].
template <class T>
void run_depthwise(const Grid& g, const T* source, Int channels, Int many, const T* weight, const T* bias, T* result,
                   bool towards_input) {
  const Line &x = g.line[0], &y = g.line[1], &z = g.line[2];
  const Int results = channels * many, width = towards_input ? channels : results;
  const Int read = towards_input ? results : channels;
  const Int smallest = grain / std::max<Int>(results * g.taps(), 1) + 1;
  parallel_for(g.rows(), smallest, [&](Int begin, Int end) {
    Position p(g, begin);
    for (Int row = begin; row < end; ++row, p.next()) {
      T* to = result + p.result_row() * width;
      for (Int c = 0; c < width; ++c) to[c] = bias ? bias[c] : T(0);
      const T* w = weight;
      for (const Int offset_x : x.offsets)
        for (const Int offset_y : y.offsets)
          for (const Int offset_z : z.offsets) {
            const T* factor = w;
            w += results;
            const Int i = p.at[0] * x.step + offset_x, j = p.at[1] * y.step + offset_y, k = p.at[2] * z.step + offset_z;
            if (!inside(i, x) || !inside(j, y) || !inside(k, z)) continue;
            const T* from = source + (((p.image * x.source + i) * y.source + j) * z.source + k) * read;
            if (many == 1)
              for (Int c = 0; c < channels; ++c) to[c] += from[c] * factor[c];
            else if (towards_input)
              for (Int c = 0; c < channels; ++c)
                for (Int m = 0; m < many; ++m) to[c] += from[c * many + m] * factor[c * many + m];
            else
              for (Int c = 0; c < channels; ++c)
                for (Int m = 0; m < many; ++m) to[c * many + m] += from[c] * factor[c * many + m];
          }
    }
  });
}

struct Counts {
  Int batch, channels, results, taps;
  Int in_group, out_group;
};
Counts counts(const Convolution& c, Int batch, Int channels, Int results) {
  return {batch, channels, results, c.kernel.product(), channels / c.groups, results / c.groups};
}
bool depthwise(const Counts& n, const Convolution& c) { return c.groups > 1 && n.in_group == 1; }

/// Windows over the input, for the forward pass and the weight's.
Grid forward_grid(const Convolution& c, const Counts& n) {
  Grid g;
  g.batch = n.batch;
  g.channels = n.in_group;
  g.pitch = n.channels;
  const int axes = c.input.size();
  for (int a = 0; a < axes; ++a) {
    Line& l = g.line[3 - axes + a];
    l.grid = l.size = c.output[a];
    l.step = c.stride[a];
    l.source = c.input[a];
    l.offsets.clear();
    for (Int t = 0; t < c.kernel[a]; ++t) l.offsets.push_back(t * c.dilation[a] - c.before[a]);
  }
  return g;
}

/// Windows over the output's gradient for those input positions that leave the remainder `phase` by the stride; `taps`
/// receives which taps reach them.
Line input_line(const Convolution& c, int a, Int phase, std::vector<Int>& taps) {
  Line l;
  const Int stride = c.stride[a];
  l.grid = phase < c.input[a] ? (c.input[a] - phase + stride - 1) / stride : 0;
  l.step = 1;
  l.source = c.output[a];
  l.start = phase;
  l.stride = stride;
  l.size = c.input[a];
  l.offsets.clear();
  taps.clear();
  for (Int t = c.kernel[a] - 1; t >= 0; --t) {  // backwards: so the places ascend
    const Int shift = phase + c.before[a] - t * c.dilation[a];
    if (shift % stride != 0) continue;
    l.offsets.push_back(shift / stride);
    taps.push_back(t);
  }
  return l;
}

/// weight (O, taps, C / groups) as [tap][O] where C / groups is 1.
template <class T>
std::vector<T> by_tap(const T* weight, Int results, Int taps) {
  std::vector<T> w(static_cast<std::size_t>(results * taps));
  for (Int o = 0; o < results; ++o)
    for (Int t = 0; t < taps; ++t) w[static_cast<std::size_t>(t * results + o)] = weight[o * taps + t];
  return w;
}

template <class T>
void forward(T* y, const T* x, const T* weight, const T* bias, const Convolution& c, const Counts& n) {
  const Grid g = forward_grid(c, n);
  if (depthwise(n, c)) {
    const std::vector<T> w = by_tap(weight, n.results, n.taps);
    run_depthwise<T>(g, x, n.channels, n.out_group, w.data(), bias, y, false);
    return;
  }
  const Int k = g.columns();
  run<T>({g, x, c.groups, n.out_group, weight, n.out_group * k, 1, k, bias, y});
}

template <class T>
void input_grad(T* dx, const T* dy, const T* weight, const Convolution& c, const Counts& n) {
  Grid g;
  g.batch = n.batch;
  g.channels = n.out_group;
  g.pitch = n.results;
  const int axes = c.input.size();
  std::vector<Int> taps[3] = {{0}, {0}, {0}};
  Int phases[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
  for (int a = 0; a < axes; ++a) {
    phases[3 - axes + a] = std::min(c.stride[a], c.input[a]);  // a wide stride leaves most remainders to no position
    kernel[3 - axes + a] = c.kernel[a];
  }
  std::vector<T> matrix;
  for (Int i = 0; i < phases[0]; ++i)
    for (Int j = 0; j < phases[1]; ++j)
      for (Int k = 0; k < phases[2]; ++k) {
        const Int phase[3] = {i, j, k};
        for (int a = 3 - axes; a < 3; ++a) g.line[a] = input_line(c, a - 3 + axes, phase[a], taps[a]);
        if (g.rows() == 0) continue;
        // The taps that matter here: [group][tap][O / groups][C / groups], or [tap][O] where C / groups is 1.
        matrix.clear();
        const bool slim = depthwise(n, c);
        for (Int group = 0; group < (slim ? 1 : c.groups); ++group)
          for (const Int u : taps[0])
            for (const Int v : taps[1])
              for (const Int w : taps[2]) {
                const Int tap = (u * kernel[1] + v) * kernel[2] + w;
                const Int first = slim ? 0 : group * n.out_group, last = slim ? n.results : first + n.out_group;
                for (Int o = first; o < last; ++o) {
                  const T* row = weight + (o * n.taps + tap) * n.in_group;
                  matrix.insert(matrix.end(), row, row + n.in_group);
                }
              }
        if (slim)
          run_depthwise<T>(g, dy, n.channels, n.out_group, matrix.data(), nullptr, dx, true);
        else
          run<T>({g, dy, c.groups, n.in_group, matrix.data(), g.columns() * n.in_group, n.in_group, 1, nullptr, dx});
      }
}

/// dw (O, taps, C / groups). A unit is a block of results under the taps of one line of the window.
template <class T>
void weight_grad(T* dw, const T* dy, const T* x, const Convolution& c, const Counts& n) {
  const Grid whole = forward_grid(c, n);
  const Int rows = whole.rows(), columns = static_cast<Int>(whole.line[2].offsets.size()) * n.in_group;
  if (columns == 0 || n.results == 0) return;
  const Int lines = n.taps * n.in_group / columns, ld = n.taps * n.in_group;
  constexpr Int block = 128;
  const Int blocks = (n.out_group + block - 1) / block, height = std::min(block, n.out_group);
  const Int tile = std::clamp<Int>((Int{1} << 19) / columns, 128, 1024);
  parallel_for(c.groups * lines * blocks, grain * 16 / (rows * columns * height + 1) + 1, [&](Int begin, Int end) {
    const Scratch<T> matrix(std::min(tile, rows) * columns), pack(gemm_scratch), part(height * columns);
    for (Int unit = begin; unit < end; ++unit) {
      const Int line = unit % lines, first = unit / lines % blocks * block, group = unit / lines / blocks;
      const Int count = std::min(block, n.out_group - first);
      Grid g = whole;
      const Int inner = static_cast<Int>(whole.line[1].offsets.size());
      g.line[0].offsets = {whole.line[0].offsets[static_cast<std::size_t>(line / inner)]};
      g.line[1].offsets = {whole.line[1].offsets[static_cast<std::size_t>(line % inner)]};
      const bool direct = g.pointwise();
      T* to = dw + (group * n.out_group + first) * ld + line * columns;
      for (Int r = 0; r < count; ++r) put_zeros(to + r * ld, columns);
      for (Int row = 0; row < rows; row += tile) {
        const Int depth = std::min(tile, rows - row);
        const T* source = x + group * n.in_group;
        if (!direct) gather<T>(matrix, source, g, row, row + depth);
        const T* b = direct ? source + row * g.pitch : static_cast<const T*>(matrix);
        multiply<T>(part, columns, dy + row * n.results + group * n.out_group + first, 1, n.results, b,
                    direct ? g.pitch : columns, 1, count, columns, depth, nullptr, pack);
        for (Int r = 0; r < count; ++r)
          for (Int k = 0; k < columns; ++k) to[r * ld + k] += part[r * columns + k];
      }
    }
  });
}

/// The weight's pass where groups have one input channel: dw (O, taps).
template <class T>
void weight_grad_depthwise(T* dw, const T* dy, const T* x, const Convolution& c, const Counts& n) {
  const Grid g = forward_grid(c, n);
  const Line &u = g.line[0], &v = g.line[1], &w = g.line[2];
  const Int inner = static_cast<Int>(w.offsets.size()), middle = static_cast<Int>(v.offsets.size()), rows = g.rows();
  parallel_for(n.taps, grain / (rows * n.results + 1) + 1, [&](Int begin, Int end) {
    std::vector<double> total(static_cast<std::size_t>(n.results));
    for (Int tap = begin; tap < end; ++tap) {
      const Int offset_x = u.offsets[static_cast<std::size_t>(tap / inner / middle)],
                offset_y = v.offsets[static_cast<std::size_t>(tap / inner % middle)],
                offset_z = w.offsets[static_cast<std::size_t>(tap % inner)];
      std::fill(total.begin(), total.end(), 0.0);
      double* sum = total.data();
      Position p(g, 0);
      for (Int row = 0; row < rows; ++row, p.next()) {
        const Int i = p.at[0] * u.step + offset_x, j = p.at[1] * v.step + offset_y, k = p.at[2] * w.step + offset_z;
        if (!inside(i, u) || !inside(j, v) || !inside(k, w)) continue;
        const T* from = x + (((p.image * u.source + i) * v.source + j) * w.source + k) * n.channels;
        const T* grad = dy + row * n.results;
        if (n.out_group == 1)
          for (Int o = 0; o < n.results; ++o) sum[o] += static_cast<double>(grad[o]) * static_cast<double>(from[o]);
        else
          for (Int ch = 0; ch < n.channels; ++ch)
            for (Int m = 0; m < n.out_group; ++m)
              sum[ch * n.out_group + m] +=
                  static_cast<double>(grad[ch * n.out_group + m]) * static_cast<double>(from[ch]);
      }
      for (Int o = 0; o < n.results; ++o) dw[o * n.taps + tap] = static_cast<T>(sum[o]);
    }
  });
}

Shape with_spatial(Int first, Int second, const Dims& spatial) {
  Shape s{first, second};
  for (const Int n : spatial) s.push_back(n);
  return s;
}

template <class T>
T* numbers(const Tensor& x) {
  return x.defined() ? reinterpret_cast<T*>(bytes(x)) : nullptr;
}

#ifdef WEFT_ONEDNN
/// Whether the library did it. Small work is done faster by weft's own loops.
bool by_library(ConvolutionPass pass, const Tensor& x, const Tensor& weight, const Tensor& y, const Tensor& bias,
                const Convolution& c, const Counts& n, bool bfloat16 = false) {
  if (x.dtype() != DType::float32 || !uses_onednn() || is_deterministic() || x.numel() == 0 || y.numel() == 0 ||
      weight.numel() == 0)
    return false;
  constexpr Int smallest = 32 * 32 * 32;
  if (y.numel() * n.taps * n.in_group < smallest) return false;
  return onednn::convolve({pass, n.batch, n.channels, n.results, &c, numbers<float>(x), numbers<float>(weight),
                           numbers<float>(y), numbers<float>(bias), bfloat16});
}
#else
bool by_library(ConvolutionPass, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Convolution&,
                const Counts&, bool = false) {
  return false;
}
#endif

/// Whether the factors of this pass are rounded to bfloat16.
bool rounds(DType type) { return type == DType::float32 && product_precision() == Precision::bfloat16; }

/// body(float or double, as a null pointer) by the type computed in.
template <class Body>
void by_type(DType type, Body&& body) {
  if (type == DType::float64)
    body(static_cast<double*>(nullptr));
  else
    body(static_cast<float*>(nullptr));
}

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const Convolution& c) {
  check_floating("convolution", x);
  const DType type = native(x.dtype());
  const Counts n = counts(c, x.shape()[0], x.shape()[1], weight.shape()[0]);
  Tensor in = channels_last(cast(x, type)), w = contiguous(cast(weight, type));
  const Tensor add = bias.defined() ? contiguous(cast(bias, type)) : Tensor();
  const Tensor y = empty_channels_last(with_spatial(n.batch, n.results, c.output), type);
  if (y.numel() == 0) return cast(y, x.dtype());
  if (rounds(type)) {
    if (by_library(ConvolutionPass::forward, in, w, y, add, c, n, true)) return y;
    in = rounded_to_bfloat16(in);
    w = rounded_to_bfloat16(w);
  }
  if (!by_library(ConvolutionPass::forward, in, w, y, add, c, n)) {
    const Tensor taps_first = channels_last(w);  // (O, taps, C / groups)
    by_type(type, [&](auto* t) {
      using T = std::remove_pointer_t<decltype(t)>;
      forward<T>(numbers<T>(y), numbers<T>(in), numbers<T>(taps_first), numbers<T>(add), c, n);
    });
    if (c.relu) return cast(unary(Unary::relu, y), x.dtype());
  }
  return cast(y, x.dtype());
}

Tensor convolution_input_grad(const Tensor& dy, const Tensor& weight, const Convolution& c) {
  check_floating("convolution", dy);
  const DType type = native(dy.dtype());
  const Counts n = counts(c, dy.shape()[0], weight.shape()[1] * c.groups, dy.shape()[1]);
  Tensor g = channels_last(cast(dy, type)), w = contiguous(cast(weight, type));
  const Tensor dx = empty_channels_last(with_spatial(n.batch, n.channels, c.input), type);
  if (dx.numel() == 0) return cast(dx, dy.dtype());
  if (rounds(type)) {
    if (by_library(ConvolutionPass::input_grad, dx, w, g, Tensor(), c, n, true)) return dx;
    g = rounded_to_bfloat16(g);
    w = rounded_to_bfloat16(w);
  }
  if (!by_library(ConvolutionPass::input_grad, dx, w, g, Tensor(), c, n)) {
    const Tensor taps_first = channels_last(w);
    by_type(type, [&](auto* t) {
      using T = std::remove_pointer_t<decltype(t)>;
      input_grad<T>(numbers<T>(dx), numbers<T>(g), numbers<T>(taps_first), c, n);
    });
  }
  return cast(dx, dy.dtype());
}

Tensor convolution_weight_grad(const Tensor& dy, const Tensor& x, const Convolution& c) {
  check_floating("convolution", x);
  const DType type = native(x.dtype());
  const Counts n = counts(c, x.shape()[0], x.shape()[1], dy.shape()[1]);
  Tensor g = channels_last(cast(dy, type)), in = channels_last(cast(x, type));
  const Shape shape = with_spatial(n.results, n.in_group, c.kernel);
  const Tensor dw = empty(shape, type);
  if (dw.numel() == 0) return cast(dw, x.dtype());
  if (rounds(type)) {
    if (by_library(ConvolutionPass::weight_grad, in, dw, g, Tensor(), c, n, true)) return dw;
    g = rounded_to_bfloat16(g);
    in = rounded_to_bfloat16(in);
  }
  if (by_library(ConvolutionPass::weight_grad, in, dw, g, Tensor(), c, n)) return cast(dw, x.dtype());
  const Tensor taps_first = empty_channels_last(shape, type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    const auto run = depthwise(n, c) ? weight_grad_depthwise<T> : weight_grad<T>;
    run(numbers<T>(taps_first), numbers<T>(g), numbers<T>(in), c, n);
  });
  return cast(contiguous(taps_first), x.dtype());
}

std::string convolution_implementation([[maybe_unused]] ConvolutionPass pass, [[maybe_unused]] Int batch,
                                       [[maybe_unused]] Int channels, [[maybe_unused]] Int results,
                                       [[maybe_unused]] const Convolution& c) {
#ifdef WEFT_ONEDNN
  return onednn::implementation({pass, batch, channels, results, &c, nullptr, nullptr, nullptr, nullptr});
#else
  return "";
#endif
}

}  // namespace kernels
}  // namespace weft
