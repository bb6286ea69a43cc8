#include <weft/tensor/kernels/common.h>

namespace weft::kernels {

void WEFT_LEVELED(install)(KernelTable& t) {
  WEFT_LEVELED(install_unary)(t);
  WEFT_LEVELED(install_binary)(t);
  WEFT_LEVELED(install_movement)(t);
  WEFT_LEVELED(install_reduce)(t);
  WEFT_LEVELED(install_rows)(t);
  WEFT_LEVELED(install_channels)(t);
  WEFT_LEVELED(install_windows)(t);
  WEFT_LEVELED(install_gemm)(t);
  WEFT_LEVELED(install_recurrent)(t);
  WEFT_LEVELED(install_attention)(t);
  WEFT_LEVELED(install_sparse)(t);
  WEFT_LEVELED(install_steps)(t);
  WEFT_LEVELED(install_random)(t);
}

}  // namespace weft::kernels
