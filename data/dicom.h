#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <weft/tensor/tensor.h>

/// Medical pictures and volumes: DICOM files. Needs DCMTK (Meson feature `dicom`).
namespace weft::data {

/// A range of values that is worth showing, in the units of the pixels (PS3.3 C.11.2.1.2).
struct DicomWindow {
  double centre = 0, width = 1;
};

/// A plane in the patient: millimetres, x to the patient's left, y to the back, z to the head (LPS+).
struct DicomPlane {
  std::array<double, 3> position{};      ///< of the centre of the first pixel (ImagePositionPatient)
  std::array<double, 3> along_row{};     ///< unit vector in which the column's number grows (ImageOrientationPatient)
  std::array<double, 3> along_column{};  ///< unit vector in which the row's number grows
};

/// One file. Nothing in it names the patient, the physician or the place.
struct Dicom {
  /// (H, W); (frames, H, W) when the file has NumberOfFrames above 1; colour has 3 channels before H. float32: for grey
  /// slope * stored + intercept, e.g. Hounsfield units; colour as stored, 0 ... 2^bits - 1.
  Tensor pixels;
  std::string modality;     ///< "CT", "MR", "CR" ...
  std::string photometric;  ///< "MONOCHROME1", "MONOCHROME2" or "RGB"
  /// MONOCHROME1: the lowest value is white. `pixels` are left as they are; displayed() turns them over.
  bool inverted = false;
  std::string units;                             ///< RescaleType, e.g. "HU"; often empty
  std::string window_function = "LINEAR";        ///< VOILUTFunction: "LINEAR", "LINEAR_EXACT" or "SIGMOID"
  std::vector<DicomWindow> windows;              ///< as the file proposes, the best first
  std::optional<std::array<double, 2>> spacing;  ///< mm from row to row, and from column to column
  std::optional<double> slice_thickness;         ///< mm
  std::vector<DicomPlane> planes;                ///< one, or one for each frame; empty where the file has none
  std::string transfer_syntax;                   ///< name of the packing, e.g. "Little Endian Explicit"
};

struct DicomOptions {
  bool rescale = true;                              ///< false: numbers as stored
  std::int64_t max_pixels = std::int64_t{1} << 28;  ///< over all frames; a file that claims more is refused
};

/// Reads the pixels of a DICOM file: 8, 16 or 32 bits allocated, grey or RGB, any number of frames; packed by nothing,
/// RLE or JPEG (baseline, extended, lossless; colours become RGB). Slope, intercept, spacing and planes are also
/// found in the functional groups of enhanced files, for each frame. Throws FileError naming the file: missing, a
/// folder, no DICOM (a file without the mark "DICM" is none), cut short, no pixels, a packing that is not supported
/// (deflate, JPEG-LS, JPEG 2000, video ...; it is named), palettes and other colours, a lookup table instead of slope
/// and intercept, sizes that contradict each other, too many pixels; ConfigError when weft was built without DCMTK.
/// DCMTK's own log is switched off at the first read.
Dicom read_dicom(const std::string& path, const DicomOptions& options = {});

/// A volume made of a series of slices.
struct DicomVolume {
  Tensor voxels;  ///< (D, H, W) float32: slices in the order of their position along `normal`, from low to high
  /// (4, 4) float64: (slice, row, column, 1) -> (x, y, z, 1), indices in the order of the tensor's axes to mm, LPS+.
  Tensor affine;
  std::array<double, 3> spacing{};  ///< mm from slice to slice, row to row, column to column
  std::array<double, 3> normal{};   ///< along_row x along_column: unit vector from slice to slice
  std::string modality, units;
  bool inverted = false;
  std::vector<DicomWindow> windows;  ///< of the first slice
  std::vector<std::string> files;    ///< in the order of the slices
};

struct DicomSeriesOptions {
  DicomOptions file = {};
  double tolerance = 0.01;  ///< of the distance between slices: how far they may be from evenly spaced
};

/// Reads the DICOM files of a folder (not of folders inside; files without the mark "DICM" and DICOMDIR are passed
/// over) as one volume. All must have one SeriesInstanceUID, size, spacing, direction, modality. Throws FileError
/// naming the folder and the files that do not agree: none there, one slice only, several series, two slices at one
/// place, a missing slice (where), slices shifted sideways; and as read_dicom().
DicomVolume read_dicom_series(const std::string& folder, const DicomSeriesOptions& options = {});

/// Values to brightness, 0 ... 1, float32, by the standard's linear function (PS3.3 C.11.2.1.2.1): 0 for
/// x <= c - 0.5 - (w - 1) / 2, 1 for x > c - 0.5 + (w - 1) / 2, between them (x - (c - 0.5)) / (w - 1) + 0.5.
/// Any shape. Throws ConfigError for a width below 1.
Tensor window(const Tensor& pixels, double centre, double width);

/// A file's pixels as they are meant to be looked at, 0 ... 1: by its first window (LINEAR, LINEAR_EXACT or SIGMOID),
/// without one from the lowest to the highest value; MONOCHROME1 turned over, colours divided by their largest value.
Tensor displayed(const Dicom& image);

/// Whether this build reads DICOM.
bool have_dicom() noexcept;

}  // namespace weft::data
