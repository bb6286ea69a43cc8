#include <weft/tensor/precision.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include <weft/tensor/dispatch.h>

namespace weft::kernels {
namespace {

constinit thread_local Precision in_use = Precision::full;

std::atomic<bool>& emulated() noexcept {
  static std::atomic<bool> on = [] {
    const char* setting = std::getenv("WEFT_BFLOAT16");
    return setting && std::strcmp(setting, "emulate") == 0;
  }();
  return on;
}

}  // namespace

Precision product_precision() noexcept { return in_use; }

ProductPrecision::ProductPrecision(Precision precision) noexcept : before_(in_use) { in_use = precision; }
ProductPrecision::~ProductPrecision() { in_use = before_; }

bool has_bfloat16() noexcept {
  if (emulated().load(std::memory_order_relaxed)) return true;
#ifdef WEFT_ONEDNN
  return uses_onednn() && cpu_has_bfloat16() && std::strcmp(level(), "v4") == 0;
#else
  return false;
#endif
}
void emulate_bfloat16(bool on) noexcept { emulated().store(on, std::memory_order_relaxed); }

Tensor rounded_to_bfloat16(const Tensor& x) { return cast(cast(x, DType::bfloat16), DType::float32); }

}  // namespace weft::kernels
