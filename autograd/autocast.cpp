#include <weft/autograd/autocast.h>

#include <atomic>

#include <weft/tensor/error.h>
#include <weft/tensor/warning.h>

namespace weft {

constinit thread_local kernels::Precision detail::autocast_precision = kernels::Precision::full;

namespace {

kernels::Precision precision_for(DType dtype) {
  if (dtype == DType::float32) return kernels::Precision::full;
  if (dtype != DType::bfloat16)
    throw DtypeError(text("autocast: products in ", dtype, "\n  help: choose bfloat16, or float32 for none"));
  if (kernels::has_bfloat16()) return kernels::Precision::bfloat16;
  static std::atomic<bool> said = false;
  if (!said.exchange(true))
    warn(
        "autocast: there are no fast bfloat16 products here (they need AVX512_BF16 or AMX, and oneDNN): float32 is "
        "used");
  return kernels::Precision::full;
}

}  // namespace

Autocast::Autocast(DType dtype) : before_(detail::autocast_precision) {
  detail::autocast_precision = precision_for(dtype);
}
Autocast::~Autocast() { detail::autocast_precision = before_; }

DType autocast_dtype() noexcept {
  return detail::autocast_precision == kernels::Precision::full ? DType::float32 : DType::bfloat16;
}

}  // namespace weft
