#include <weft/tensor/kernels/math.h>

namespace weft::kernels {
namespace {

template <class T>
void adam(void* parameter, const void* gradient, void* first, void* second, Int n, const AdamNumbers& s) {
  T* p = static_cast<T*>(parameter);
  const T* g = static_cast<const T*>(gradient);
  T* m = static_cast<T*>(first);
  T* v = static_cast<T*>(second);
  const T step = static_cast<T>(s.step_size), eps = static_cast<T>(s.eps), decay = static_cast<T>(s.decay);
  const T shrink = static_cast<T>(s.shrink), root = static_cast<T>(s.inverse_root_correction);
  const T beta2 = static_cast<T>(s.beta2);
  const T rest1 = static_cast<T>(1 - s.beta1), rest2 = static_cast<T>(1 - s.beta2);
  WEFT_SIMD
  for (Int i = 0; i < n; ++i) {
    const T w = p[i];
    const T d = g[i] + decay * w;
    const T a = m[i] + rest1 * (d - m[i]);
    const T b = beta2 * v[i] + rest2 * (d * d);
    m[i] = a;
    v[i] = b;
    p[i] = shrink * w - step * (a / (math::sqrt(b) * root + eps));
  }
}

template <class T>
void sgd(void* parameter, const void* gradient, void* velocity, Int n, const SgdNumbers& s) {
  T* p = static_cast<T*>(parameter);
  const T* g = static_cast<const T*>(gradient);
  T* v = static_cast<T*>(velocity);
  const T lr = static_cast<T>(s.lr), decay = static_cast<T>(s.decay), momentum = static_cast<T>(s.momentum);
  if (!s.has_velocity) {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) p[i] -= lr * (g[i] + decay * p[i]);
    return;
  }
  // The first velocity is the gradient itself.
  const T keep = s.first ? T(0) : momentum, share = s.first ? T(1) : static_cast<T>(s.gradient_share);
  const T ahead = s.nesterov ? momentum : T(1), direct = s.nesterov ? T(1) : T(0);
  if (s.first) {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) v[i] = T(0);  // it may be uninitialised
  }
  WEFT_SIMD
  for (Int i = 0; i < n; ++i) {
    const T d = g[i] + decay * p[i];
    const T u = keep * v[i] + share * d;
    v[i] = u;
    p[i] -= lr * (direct * d + ahead * u);
  }
}

}  // namespace

void WEFT_LEVELED(install_steps)(KernelTable& t) {
  t.adam[0] = adam<float>;
  t.adam[1] = adam<double>;
  t.sgd[0] = sgd<float>;
  t.sgd[1] = sgd<double>;
}

}  // namespace weft::kernels
