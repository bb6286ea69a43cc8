#pragma once
#include <cstdint>

#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Random changes of training images that leave their meaning as it is.
namespace weft::data {

struct AugmentOptions {
  double flip = 0;           ///< probability of swapping left and right
  double flip_vertical = 0;  ///< probability of swapping top and bottom
  std::int64_t shift = 0;    ///< moved by up to so many pixels, whole ones, along each axis
  double rotate = 0;         ///< turned by up to so many degrees either way
  double zoom = 0;           ///< enlarged or shrunk by a factor in [1 - zoom, 1 + zoom]
  double noise = 0;          ///< normal noise of up to this standard deviation is added
  double brightness = 0;     ///< up to so much is added to all pixels of an image
  double contrast = 0;       ///< distances from the image's mean are scaled within [1 - contrast, 1 + contrast]
  std::int64_t crop_height = 0, crop_width = 0;  ///< a part of this size from a random place; 0: the whole image
  double fill = 0;                               ///< what lies outside of the image
};

/// Each of the images (N, C, H, W) float32 changed by its own draw: flipped, turned and zoomed about its middle,
/// shifted and cropped in one bilinear step, then brightness, contrast and noise. Volumes (N, C, D, H, W) are changed
/// within their slices, all slices of one alike. Returns (N, C, crop_height or H, crop_width or W), a new tensor; the
/// draws are a function of the generator's place alone. Throws ShapeError for fewer than 3 axes or a crop larger than
/// the image, DtypeError for other types, ConfigError for probabilities outside [0, 1], a zoom or contrast outside
/// [0, 1) and other negative amounts.
Tensor augment(const Tensor& images, const AugmentOptions& options, Generator& generator = default_generator());

}  // namespace weft::data
