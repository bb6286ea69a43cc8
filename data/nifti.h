#pragma once
#include <string>
#include <vector>

#include <weft/tensor/tensor.h>

/// Volumes of neuroimaging: NIfTI-1 and NIfTI-2 in one file, .nii or .nii.gz. Needs libnifti2 (Meson feature `nifti`)
/// and, for .nii.gz, zlib.
namespace weft::data {

/// A volume and where it lies.
struct Nifti {
  Tensor voxels;  ///< (X, Y, Z), (X, Y, Z, T) ...: the axes of the file in its order, x first, as nibabel has them
  /// (4, 4) float64: (i, j, k, 1) -> (x, y, z, 1), indices of the first three axes to millimetres, x to the right, y to
  /// the front, z to the top of the patient (RAS+). The file's sform; its qform where it has no sform; else the
  /// spacing.
  Tensor affine;
  std::vector<double> spacing;  ///< between neighbours along each axis: mm for the first three, then s (or as written)
  std::string space;            ///< "scanner", "aligned", "talairach", "mni", "template"; "unknown" without a code
};

struct NiftiOptions {
  bool native = false;  ///< numbers as stored, neither scaled nor float32: int16 and uint16 as int32, uint32 as int64
  bool to_ras = false;  ///< flips and swaps the first three axes so that they run nearest to right, front and top
};

/// Reads a volume as float32: v = scl_slope * stored + scl_inter (a slope of 0 or NaN: as stored). Either byte order; 8
/// to 64-bit whole numbers, float32 and float64. Lengths in metres or micrometres become mm, times s. The text fields
/// of the header are not looked at. Throws FileError naming the file: missing, a folder, no NIfTI, half of a pair of
/// .hdr and .img, a header that contradicts itself, cut short, too long, complex or colour numbers, damaged gzip,
/// to_ras without three axes or with an affine that has no inverse; ConfigError when weft was built without libnifti2.
/// Nothing larger than the file holds is allocated.
Nifti read_nifti(const std::string& path, const NiftiOptions& options = {});

/// Writes a volume of 1 to 7 axes, packed when the name ends in .gz: NIfTI-1, or NIfTI-2 when an axis is longer than
/// 32767. bool becomes uint8, bfloat16 float32. `affine` as above (left out: ones on its diagonal) is the sform, and
/// the qform where it is a rotation; spacing[3] and on are those of further axes (left out: 1). All of it or nothing.
/// Throws ShapeError, ConfigError (also when weft was built without libnifti2), FileError.
void write_nifti(const std::string& path, const Tensor& voxels, const Tensor& affine = {},
                 const std::vector<double>& spacing = {});

/// Whether this build reads NIfTI.
bool have_nifti() noexcept;

}  // namespace weft::data
