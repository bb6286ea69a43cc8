#pragma once
#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <utility>

#include <weft/tensor/dtype.h>
#include <weft/tensor/error.h>
#include <weft/tensor/shape.h>
#include <weft/tensor/storage.h>

namespace weft {

/// What autograd/ hangs on a tensor; tensor/ only counts it.
struct GradSlot {
  std::atomic<std::uint32_t> refs{1};
  void (*drop)(GradSlot*) = nullptr;  ///< called when the count reaches zero

  void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (refs.load(std::memory_order_acquire) == 1 || refs.fetch_sub(1, std::memory_order_acq_rel) == 1) drop(this);
  }
};

/// The object behind a handle: where the numbers lie and how to walk them.
struct TensorBody {
  std::atomic<std::uint32_t> refs{1};
  DType dtype = DType::float32;
  bool contiguous = true;          ///< dense and row-major
  std::uint16_t output_index = 0;  ///< which output of the slot's operation this is
  Storage* storage = nullptr;
  GradSlot* slot = nullptr;
  void* data = nullptr;  ///< the first element
  std::int64_t numel = 0;
  Shape shape;
  Strides strides;

  static TensorBody* allocate();  ///< from the thread's free list, fields as above
  static void destroy(TensorBody* body) noexcept;
};

/// A handle to an n-dimensional array of numbers: cheap to copy, copies alias.
///
/// Members tell what the tensor is; everything computed from tensors is a free function
/// (`matmul(a, b)`, `sum(x, 1)`, `t(x)`, operators). A default-made tensor is undefined:
/// `defined()` is false and anything else on it throws Error.
///
/// Thread safety: handles may be copied and dropped from several threads; writing the numbers
/// while others read them is the caller's to prevent.
class Tensor {
 public:
  Tensor() noexcept {}
  /// Takes over one reference to `body`.
  explicit Tensor(TensorBody* body) noexcept : body_(body) {}
  Tensor(const Tensor& other) noexcept : body_(other.body_) {
    if (body_) body_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Tensor& operator=(const Tensor& other) noexcept {
    Tensor(other).swap(*this);
    return *this;
  }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor(std::move(other)).swap(*this);
    return *this;
  }
  ~Tensor() {
    if (body_) release();
  }
  void swap(Tensor& other) noexcept { std::swap(body_, other.body_); }

  bool defined() const noexcept { return body_ != nullptr; }
  explicit operator bool() const = delete;  // say defined() or item()

  const Shape& shape() const { return body().shape; }
  const Strides& strides() const { return body().strides; }
  DType dtype() const { return body().dtype; }
  int dim() const { return body().shape.size(); }
  std::int64_t numel() const { return body().numel; }
  /// Size along an axis; negative axes count from the end. Throws ShapeError.
  std::int64_t size(int axis) const;
  bool is_contiguous() const { return body().contiguous; }

  /// The first element. Throws DtypeError unless T is the element type. Elements lie at
  /// sum_i index_i * strides()[i]; only for a contiguous tensor is that row-major order.
  template <class T>
  const T* data() const {
    check_type(dtype_of<T>);
    return static_cast<const T*>(body_->data);
  }
  /// The same for writing: counts as an in-place change (the tape will notice).
  template <class T>
  T* mutable_data() {
    check_type(dtype_of<T>);
    ++body_->storage->version;
    return static_cast<T*>(body_->data);
  }
  /// The number in a tensor of one element. Throws ShapeError otherwise.
  double item() const;

  // ---- automatic differentiation (defined in autograd/)
  bool requires_grad() const noexcept { return body_ && body_->slot; }
  /// Makes this tensor a leaf whose gradient is collected, or a plain one. Throws DtypeError for
  /// types without gradient, GradError when it is the result of a recorded operation.
  Tensor& set_requires_grad(bool on = true);
  /// The gradient collected by backward(); undefined before. Only leaves (and tensors with
  /// retain_grad) have one.
  Tensor grad() const;
  /// Replaces the collected gradient; an undefined tensor clears it.
  void set_grad(const Tensor& gradient);
  /// Adds to grad() of every leaf the derivative of this tensor, weighted by `gradient`
  /// (ones if left out; then the tensor must have one element). Frees the tape as it goes.
  void backward(const Tensor& gradient = Tensor()) const;

  /// The object behind the handle, for code that extends weft. Throws Error when undefined.
  TensorBody& body() const {
    if (!body_) undefined();
    return *body_;
  }
  TensorBody* body_or_null() const noexcept { return body_; }

 private:
  void release() noexcept {
    if (body_->refs.load(std::memory_order_acquire) == 1 || body_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
      TensorBody::destroy(body_);
  }
  void check_type(DType wanted) const {
    if (body().dtype != wanted) wrong_type(wanted);
  }
  [[noreturn]] static void undefined();
  [[noreturn]] void wrong_type(DType wanted) const;

  TensorBody* body_ = nullptr;
};

namespace detail {
/// Called where numbers leave a tensor for the program around it (item(), to_vector()) while it is set: a graph being
/// captured cannot follow them.
using ReadWatch = void (*)(const Tensor& x);
extern constinit thread_local ReadWatch read_watch;
}  // namespace detail

/// Prints values, shape and type, shortened in the middle when long.
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace weft
