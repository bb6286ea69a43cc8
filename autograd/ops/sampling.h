#pragma once
#include <cstdint>
#include <vector>

#include <weft/autograd/record.h>
#include <weft/tensor/convolution.h>

/// Images in other sizes and at other points: interpolation, sampling on a grid, and windows as columns.
namespace weft {

/// How values between elements are found. Over two axes `linear` is what is called bilinear and `cubic` bicubic, over
/// three `linear` is trilinear.
enum class Interpolation : std::uint8_t {
  nearest,        ///< the element at floor(place), as in PyTorch's "nearest"
  nearest_exact,  ///< the element whose middle is nearest
  linear,
  cubic,  ///< Keys (1981) with a = -0.75
  area,   ///< the mean of the elements that an output element covers, as adaptive_avg_pool2d
};

struct InterpolateOptions {
  PerAxis size{};                      ///< of the result, or else
  std::vector<double> scale_factor{};  ///< the result has floor(n * scale_factor) elements
  Interpolation mode = Interpolation::nearest;
  bool align_corners = false;           ///< linear and cubic: the middles of the corner elements stay where they are
  bool recompute_scale_factor = false;  ///< places follow from the sizes, not from scale_factor
};
/// input (N, C, spatial...) with one to three spatial axes in another size, each axis by itself: output element o lies
/// at place (o + 1/2) / scale - 1/2 of the input. Places outside take the border's value. Throws ConfigError unless
/// just one of size and scale_factor is given, ShapeError for an empty result. Gradient: the transposed map of dy.
Tensor interpolate(const Tensor& input, const InterpolateOptions& options);

struct GridSampleOptions {
  Interpolation mode = Interpolation::linear;  ///< linear, cubic, or nearest (from halfway to the even place)
  kernels::Outside padding = kernels::Outside::zeros;
  bool align_corners = false;
};
/// input (N, C, H, W) at the points of grid (N, h, w, 2), which holds x and y in [-1, 1] -> (N, C, h, w); or (N, C, D,
/// H, W) at those of (N, d, h, w, 3). -1 and 1 are the outer edges of the corner elements, or with align_corners
/// their middles. Points outside count as `padding` says. Throws ShapeError where sizes do not fit, ConfigError for
/// cubic over three axes. Gradient: to the input the transposed map of dy, to the grid the slopes (0 for nearest).
/// Jaderberg et al. (2015).
Tensor grid_sample(const Tensor& input, const Tensor& grid, const GridSampleOptions& options = {});

/// A grid for grid_sample, of the points theta (x, y, 1): theta (N, 2, 3), size {N, C, h, w} -> (N, h, w, 2); or
/// (N, 3, 4), {N, C, d, h, w} -> (N, d, h, w, 3). Gradient: to theta, summed over the points.
Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners = false);

struct UnfoldOptions {
  PerAxis dilation = 1;
  PerAxis padding = 0;
  PerAxis stride = 1;
};
/// Windows as columns: input (N, C, H, W) -> (N, C kh kw, L) for L windows, row after row; or without N.
/// Gradient: fold of dy.
Tensor unfold(const Tensor& input, const PerAxis& kernel_size, const UnfoldOptions& options = {});
/// Columns (N, C kh kw, L) added up where their windows lie in (N, C, H, W), output_size = {H, W}; or without N.
/// Gradient: the windows of dy.
Tensor fold(const Tensor& input, const PerAxis& output_size, const PerAxis& kernel_size,
            const UnfoldOptions& options = {});

/// (..., C r^2, H, W) -> (..., C, H r, W r): channels become positions. Shi et al. (2016).
Tensor pixel_shuffle(const Tensor& input, std::int64_t upscale_factor);
/// (..., C, H r, W r) -> (..., C r^2, H, W): the reverse of pixel_shuffle.
Tensor pixel_unshuffle(const Tensor& input, std::int64_t downscale_factor);
/// (N, C, ...) with channel i C / groups + j moved to j groups + i. Zhang et al. (2018).
Tensor channel_shuffle(const Tensor& input, std::int64_t groups);

namespace detail {
/// Throws DtypeError unless x is of a floating type.
void require_floating(const char* op, const Tensor& x);
/// Throws ShapeError when a map would have more than 2^26 outputs: it is made element by element, before anything
/// that big is asked of the allocator.
void check_outputs(const char* op, std::int64_t outputs);
/// The maps one after the other, each along its own axis; differentiable.
Tensor linear_maps(const Call& call, const Tensor& x, std::vector<kernels::AxisMap> maps);
}  // namespace detail

}  // namespace weft
