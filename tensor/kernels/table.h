#pragma once
#include <cstdint>

#include <weft/tensor/codes.h>

/// What tensor/*.cpp sees of the loops in this folder: pointers to single-threaded functions over
/// raw memory. Every level (x86-64-v2, v3, v4, or one generic level) fills a table of its own.
///
/// This header is read by code compiled for different instruction sets, so it must define nothing
/// that the linker could merge: types and constants only.
namespace weft::kernels {

/// Types that arithmetic is done in. Other types are converted in small blocks on the way in and
/// out (bfloat16 as f32; bool, int8, uint8 and int32 as i64).
enum class Compute : std::uint8_t { f32, f64, i64 };
inline constexpr int compute_count = 3;

/// What a row kernel of the softmax family writes.
enum class SoftmaxKind : std::uint8_t { softmax, log_softmax };

/// One optimiser step over n elements, numbers already combined.
struct AdamNumbers {
  double step_size, beta1, beta2, eps, decay, shrink, inverse_root_correction;
};
struct SgdNumbers {
  double lr, momentum, gradient_share, decay;
  bool nesterov, first, has_velocity;
};

/// Entries sorted by row: row i owns places offsets[i] to offsets[i + 1], and the entry at place p is number entries[p]
/// and reads row others[p].
struct SparseRows {
  const std::int64_t *offsets, *others, *entries;
};

/// Windows along three axes (those missing have one element): result o of axis a looks at the places
/// source[a][begin[a][o]
/// .. begin[a][o + 1]) of `inputs[a]`.
struct WindowAxes {
  const std::int64_t *begin[3], *source[3];
  std::int64_t outputs[3], inputs[3];
};

/// Blocks of a product: `gemm_depth` x `gemm_columns` of b and `gemm_rows` x `gemm_depth` of a are packed at a time.
inline constexpr std::int64_t gemm_depth = 256, gemm_columns = 1024, gemm_rows = 192;
inline constexpr std::int64_t gemm_scratch = gemm_depth * (gemm_columns + gemm_rows + 8 + 64);
inline constexpr std::int64_t gemm_small_depth = 512;

/// One step of `rows` sequences of a recurrent network, the units from `first` to `last` (first a multiple of
/// `recurrent_units`). gates (rows, G, hidden), extra and h (rows, hidden) have their rows `stride` rows apart, before
/// (rows, hidden) `stride_before`; c (rows, hidden) is dense.
struct RecurrentStep {
  Cell cell;
  std::int64_t hidden, first, last, rows, stride, stride_before;
  const void *weight, *before;  ///< weight as recurrent_pack leaves it; h before the step
  void *gates, *extra, *h,
      *c;     ///< c changes in place. With keep: gates receives the activated gates, extra an LSTM's c
  bool keep;  ///< before the step or a GRU's hidden share of n
};
/// The same step backwards. dh and dc (dense) hold the gradients of the states behind the step and receive those of the
/// states in front of it, dh all but what comes through W_hh: that of `next_rows` rows of the step that was computed
/// after this one is added first, from its `next`.
struct RecurrentGrad {
  Cell cell;
  std::int64_t hidden, first, last, rows, stride, next_rows;
  const void *weight, *next;                    ///< weight as recurrent_pack_grad leaves it
  const void *dy, *gates, *extra, *before, *h;  ///< dy may be null
  void *dh, *dc, *dgates, *dhidden;             ///< dhidden: of W_hh h + b_hh; dgates but for a GRU
};
inline constexpr std::int64_t recurrent_units = 32;

/// One head of attention: q (queries, width), k (keys, width), v (keys, values), rows dense and so far apart.
struct AttentionHead {
  const void *q, *k, *v;
  const void* mask;  ///< null, or bool, or numbers to add; the same steps apart along queries and keys
  std::int64_t row_q, row_k, row_v, mask_row, mask_column, queries, keys, width, values;
  bool mask_numbers, causal;
  double scale, dropout;
  std::uint64_t seed, offset;  ///< of the head's first score; the weights are kept by `bernoulli`
  void (*bernoulli)(float* y, std::int64_t n, double probability, std::uint64_t seed, std::uint64_t offset);
};
/// Its gradients; dq, or dk and dv, may be null.
struct AttentionGrad {
  const void *dy, *y, *logsums;
  void *dq, *dk, *dv;
  std::int64_t row_dy, row_y, row_dq, row_dk, row_dv;
};
inline constexpr std::int64_t attention_queries = 96, attention_keys = 256;  ///< of a block

struct KernelTable {
  using Int = std::int64_t;

  // ---- elementwise; dense memory, n elements; y may be x, a or b. Null where a type is not computed in.
  void (*unary[unary_count][compute_count])(void* y, const void* x, Int n);
  /// step_a and step_b are 1, or 0 for a single number.
  void (*binary[binary_count][compute_count])(void* y, const void* a, const void* b, Int n, Int step_a, Int step_b);
  void (*clamp[compute_count])(void* y, const void* x, Int n, double low, double high);
  /// y += scale * x
  void (*axpy[2])(void* y, const void* x, Int n, double scale);
  /// Chosen by log2 of the element size; any steps (in elements).
  void (*where[4])(void* y, Int step_y, const void* c, Int step_c, const void* a, Int step_a, const void* b, Int step_b,
                   Int n);
  /// y = x, past the caches; x is aligned to 64 bytes.
  void (*stream)(void* y, const void* x, Int bytes);
  /// Chosen by the DTypes of y and x; any steps.
  void (*convert[8][8])(void* y, Int step_y, const void* x, Int step_x, Int n);
  /// y[j * ld_y + i] = x[i * ld_x + j] for i < rows, j < columns; chosen by log2 of the element size.
  void (*transpose[4])(void* y, Int ld_y, const void* x, Int ld_x, Int rows, Int columns);

  // ---- reductions. The accumulator is a double (f32, f64) or an int64 (i64); mean is a sum here.
  /// result[r] = reduction over i < n of x[r * ld + i].
  void (*reduce_rows[reduce_count][compute_count])(void* result, const void* x, Int rows, Int n, Int ld);
  /// result[j] = reduction over i of x[i * ld + j].
  void (*reduce_columns[reduce_count][compute_count])(void* result, const void* x, Int rows, Int columns, Int ld);
  /// index[j] of the largest (smallest) x[i * ld + j] over i < n.
  void (*arg_columns[2][compute_count])(Int* index, const void* x, Int n, Int columns, Int ld);
  void (*cumsum[compute_count])(void* y, const void* x, Int n, Int columns);

  // ---- softmax family: [0] f32, [1] f64. With ld == 1 on `columns` dense rows of n numbers one after the other; else
  // on as many interleaved ones, element i of row j at i * ld + j.
  void (*softmax[2])(void* y, const void* x, Int n, Int columns, Int ld, SoftmaxKind kind);
  void (*softmax_grad[2])(void* dx, const void* dy, const void* y, Int n, Int columns, Int ld, SoftmaxKind kind);
  void (*logsumexp[2])(void* y, const void* x, Int n, Int columns, Int ld);
  /// dx[j] = factor * (exp(logp[j]) - (j == target))
  void (*cross_entropy_grad[2])(void* dx, const void* log_probabilities, Int n, Int target, double factor);

  // ---- layer norm over rows of n
  void (*layer_norm[2])(void* y, void* mean, void* rstd, const void* x, const void* weight, const void* bias, Int rows,
                        Int n, double eps);
  /// dx may be null. dweight and dbias (doubles, n each, may be null) receive sums over these rows.
  void (*layer_norm_grad[2])(void* dx, double* dweight, double* dbias, const void* dy, const void* x, const void* mean,
                             const void* rstd, const void* weight, Int rows, Int n);

  // ---- channels of n numbers each: with ld == 1 the numbers of a channel lie together, one channel after the other;
  // else number i of channel j lies at i * ld + j. What belongs to a channel is a double.
  /// mean[j] = the channel's mean, squares[j] = its sum of (x - mean)^2.
  void (*channel_moments[2])(double* mean, double* squares, const void* x, Int n, Int channels, Int ld);
  /// plain[j] = the sum of dy, along[j] = the sum of dy * (x - mean[j]).
  void (*channel_products[2])(double* plain, double* along, const void* dy, const void* x, const double* mean, Int n,
                              Int channels, Int ld);
  /// y = (x - mean[j]) * slope[j] + shift[j]
  void (*channel_affine[2])(void* y, const void* x, const double* mean, const double* slope, const double* shift, Int n,
                            Int channels, Int ld);
  /// dx = dy * slope[j] - (x - mean[j]) * bend[j] - shift[j]
  void (*channel_affine_grad[2])(void* dx, const void* dy, const void* x, const double* mean, const double* slope,
                                 const double* bend, const double* shift, Int n, Int channels, Int ld);

  // ---- windows of one plane: x (inputs..., inner), y and places (outputs..., inner)
  /// The largest under each of the windows first <= o < last (counted row-major) and, unless null, its place.
  void (*max_pool[compute_count])(void* y, std::int32_t* places, const void* x, const WindowAxes& w, Int first,
                                  Int last, Int inner);
  /// dx[i] = the sum of those dy whose place is i, for first <= i < last; `w` says which outputs look at an input.
  void (*max_pool_grad[2])(void* dx, const void* dy, const std::int32_t* places, const WindowAxes& w, Int first,
                           Int last, Int inner);

  // ---- products: c (m x n, row stride ld_c) = a b (+ bias in each row); one stride of each operand is 1.
  // Without scratch memory (gemm_scratch elements, aligned to 64 bytes) k may be at most gemm_small_depth.
  void (*gemm[2])(void* c, Int ld_c, const void* a, Int row_a, Int column_a, const void* b, Int row_b, Int column_b,
                  Int m, Int n, Int k, const void* bias, void* scratch);

  // ---- recurrent cells
  /// W_hh (G * hidden, hidden) and b_hh (or null) as the steps read them: G * (hidden + 1) numbers for each unit,
  /// rounded up to recurrent_units; for the gradient G * hidden.
  void (*recurrent_pack[2])(void* to, const void* weight, const void* bias, Int gates, Int hidden);
  void (*recurrent_pack_grad[2])(void* to, const void* weight, Int gates, Int hidden);
  void (*recurrent_step[2])(const RecurrentStep& s);
  void (*recurrent_grad[2])(const RecurrentGrad& s);

  // ---- attention over blocks of attention_queries and attention_keys; scratch is aligned to 64 bytes
  Int (*attention_scratch[2])(const AttentionHead& h);  ///< how many elements
  /// y (queries, values) and the logarithms of the rows' sums, for the blocks first <= i < last of queries.
  void (*attention[2])(void* y, Int row_y, void* logsums, const AttentionHead& h, Int first, Int last, void* scratch);
  /// The share that these blocks of queries and keys have in dq of these queries and in dk and dv of these keys.
  void (*attention_grad[2])(const AttentionGrad& g, const AttentionHead& h, Int first_query, Int last_query,
                            Int first_key, Int last_key, void* scratch);

  // ---- compressed rows; rows of numbers are `heads` times `width` long, weights `heads` per entry
  /// y[i] = sum of weight[entry] * x[other] over the entries of rows first <= i < last; weight may be null (ones).
  void (*sparse_rows[2])(void* y, const void* x, const void* weight, const SparseRows& r, Int first, Int last,
                         Int heads, Int width);
  /// y[e] = the inner product of a[rows[e]] and b[columns[e]], head by head.
  void (*sparse_dots[2])(void* y, const void* a, const void* b, const Int* rows, const Int* columns, Int n, Int heads,
                         Int width);
  /// y[i] = the largest x[other] in each column, NaN if there is one, 0 without entries.
  void (*sparse_max[2])(void* y, const void* x, const SparseRows& r, Int first, Int last, Int width);

  // ---- optimiser steps
  void (*adam[2])(void* p, const void* g, void* m, void* v, Int n, const AdamNumbers& s);
  void (*sgd[2])(void* p, const void* g, void* v, Int n, const SgdNumbers& s);

  // ---- random numbers `offset`, offset + 1, ... of stream `seed`
  /// 64 random bits each.
  void (*random_bits)(std::uint64_t* y, Int n, std::uint64_t seed, std::uint64_t offset);
  void (*random_uniform[2])(void* y, Int n, double low, double high, std::uint64_t seed, std::uint64_t offset);
  void (*random_normal[2])(void* y, Int n, double mean, double deviation, std::uint64_t seed, std::uint64_t offset);
  void (*random_bernoulli)(float* y, Int n, double probability, std::uint64_t seed, std::uint64_t offset);
};

// Each level defines one of these: it enters its functions in the table.
void install_v2(KernelTable&);
void install_v3(KernelTable&);
void install_v4(KernelTable&);
void install_generic(KernelTable&);

}  // namespace weft::kernels
