#pragma once
#include <weft/tensor/dispatch.h>
#include <weft/tensor/packed.h>

/// Shared by the files that implement packed.h; not part of the public interface.
namespace weft::kernels {

/// Weights of fewer numbers are not worth the call of a library.
constexpr Int smallest_for_library = 1024;

void check_float32(const char* op, const char* what, const Tensor& x);
/// The residual in the memory order of the result; undefined where there is none. Throws ShapeError or DtypeError.
Tensor checked_residual(const char* op, const Epilogue& e, const Tensor& result);
/// y = activation(y + residual), n numbers each, on this thread; residual may be null.
void finish_part(float* y, const float* residual, Int n, Activation activation);
/// The same on all threads.
void finish(float* y, const float* residual, Int n, Activation activation);

}  // namespace weft::kernels
