#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>

#include <weft/data/dicom_file.h>
#include <weft/tensor/create.h>

namespace weft::data {
namespace {

constexpr const char* series_operation = "read_dicom_series";
using Vector = std::array<double, 3>;

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Vector cross(const Vector& a, const Vector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

/// The DICOM files of a folder in the order of their names.
std::vector<std::string> files_of(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> out;
  const std::filesystem::directory_iterator entries(folder, error);
  if (error) throw FileError(text(series_operation, ": cannot look into ", folder, ": ", error.message()));
  for (const auto& entry : entries)
    if (entry.is_regular_file(error) && entry.path().filename() != "DICOMDIR" &&
        detail::is_dicom(series_operation, entry.path().string()))
      out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  if (out.empty()) throw FileError(text(series_operation, ": there is no DICOM file in ", folder));
  return out;
}

/// One picture of the series: a frame of a file, with where it lies.
struct Slice {
  std::size_t file = 0;
  std::int64_t frame = 0;
  DicomPlane plane;
  double height = 0;  // along the normal
};

class Series {
 public:
  Series(const std::string& folder, const DicomSeriesOptions& options) : folder_(folder), options_(options) {}

  DicomVolume read() {
    names_ = files_of(folder_);
    std::string series, first_series;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      images_.push_back(detail::read_dicom_file(series_operation, names_[i], options_.file, series));
      if (i == 0) first_series = series;
      if (series != first_series)
        wrong(text(" holds more than one series: ", name(0), " and ", name(i),
                   " differ in SeriesInstanceUID\n  help: give each series a folder of its own"));
      add(i);
    }
    return assembled(sorted());
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    throw FileError(text(series_operation, ": ", folder_, what));
  }
  std::string name(std::size_t i) const { return std::filesystem::path(names_[i]).filename().string(); }
  [[noreturn]] void differ(std::size_t i, const std::string& what) const {
    wrong(text(" is no single volume: ", name(0), " and ", name(i), " differ in ", what));
  }

  /// The file's frames, once they agree with the first file's.
  void add(std::size_t i) {
    const Dicom &x = images_[i], &first = images_[0];
    if (x.photometric == "RGB") wrong(text(": ", name(i), " has colours, a volume is grey"));
    if (!x.spacing) wrong(text(": ", name(i), " has no PixelSpacing"));
    const std::int64_t frames = x.pixels.dim() == 3 ? x.pixels.size(0) : 1;
    if (static_cast<std::int64_t>(x.planes.size()) != frames)
      wrong(text(": ", name(i), " does not say where ", frames > 1 ? "its frames lie" : "it lies",
                 " (ImagePositionPatient, ImageOrientationPatient)"));
    if (x.pixels.size(-1) != first.pixels.size(-1) || x.pixels.size(-2) != first.pixels.size(-2))
      differ(i, text("size: ", Shape{first.pixels.size(-2), first.pixels.size(-1)}, " and ",
                     Shape{x.pixels.size(-2), x.pixels.size(-1)}));
    for (std::size_t a = 0; a < 2; ++a)
      if (std::abs((*x.spacing)[a] - (*first.spacing)[a]) > 1e-3 * (*first.spacing)[a])
        differ(i, text("spacing: ", (*first.spacing)[a], " and ", (*x.spacing)[a], " mm"));
    if (x.modality != first.modality) differ(i, text("modality: ", first.modality, " and ", x.modality));
    if (x.inverted != first.inverted) differ(i, "colours: MONOCHROME1 and MONOCHROME2");
    if (x.units != first.units) differ(i, text("units: \"", first.units, "\" and \"", x.units, "\""));
    for (std::int64_t f = 0; f < frames; ++f) {
      const DicomPlane &p = x.planes[static_cast<std::size_t>(f)], &q = first.planes[0];
      if (dot(p.along_row, q.along_row) < 1 - 1e-4 || dot(p.along_column, q.along_column) < 1 - 1e-4)
        differ(i, "direction (ImageOrientationPatient)");
      slices_.push_back({i, f, p, dot(p.position, cross(q.along_row, q.along_column))});
    }
  }

  std::string named(const Slice& s) const {
    return images_[s.file].pixels.dim() == 3 ? text(name(s.file), " frame ", s.frame + 1) : name(s.file);
  }

  /// The slices by position, evenly spaced.
  std::vector<Slice> sorted() const {
    std::vector<Slice> s = slices_;
    if (s.size() < 2) wrong(text(" holds one slice only, ", named(s[0]), "\n  help: read it with read_dicom"));
    std::stable_sort(s.begin(), s.end(), [](const Slice& a, const Slice& b) { return a.height < b.height; });
    std::vector<double> gaps;
    for (std::size_t i = 1; i < s.size(); ++i) gaps.push_back(s[i].height - s[i - 1].height);
    std::vector<double> ordered = gaps;
    std::nth_element(ordered.begin(), ordered.begin() + static_cast<std::ptrdiff_t>(ordered.size() / 2), ordered.end());
    const double step = ordered[ordered.size() / 2];
    for (std::size_t i = 0; i < gaps.size(); ++i) {
      const std::string pair = text(named(s[i]), " and ", named(s[i + 1]));
      if (gaps[i] < 1e-3) wrong(text(" is no single volume: ", pair, " lie at one place"));
      if (std::abs(gaps[i] - step) <= options_.tolerance * step) continue;
      if (const double missing = std::round(gaps[i] / step) - 1;
          missing >= 1 && std::abs(gaps[i] - (missing + 1) * step) <= options_.tolerance * step * (missing + 1))
        wrong(text(" lacks slices: ", missing, " between ", pair, ", which are ", gaps[i], " mm apart, the others ",
                   step));
      wrong(text(" is unevenly spaced: ", pair, " are ", gaps[i], " mm apart, the others ", step));
    }
    // A tilted gantry shifts every slice by the same; anything else is no volume that an affine describes.
    const Vector &first = s.front().plane.position, &last = s.back().plane.position;
    const double room = std::max(options_.tolerance, 0.01) * step + 1e-3;
    for (std::size_t i = 0; i < s.size(); ++i)
      for (std::size_t a = 0; a < 3; ++a) {
        const double part = static_cast<double>(i) / static_cast<double>(s.size() - 1);
        if (std::abs(s[i].plane.position[a] - (first[a] + part * (last[a] - first[a]))) > 2 * room)
          wrong(text(" is no single volume: ", named(s[i]), " is shifted sideways"));
      }
    return s;
  }

  DicomVolume assembled(const std::vector<Slice>& s) const {
    const Dicom& first = images_[s.front().file];
    const DicomPlane& p = s.front().plane;
    const std::int64_t rows = first.pixels.size(-2), columns = first.pixels.size(-1), area = rows * columns;
    DicomVolume out;
    out.modality = first.modality;
    out.units = first.units;
    out.inverted = first.inverted;
    out.windows = first.windows;
    out.normal = cross(p.along_row, p.along_column);
    const double gaps = static_cast<double>(s.size() - 1);
    out.spacing = {(s.back().height - s.front().height) / gaps, (*first.spacing)[0], (*first.spacing)[1]};
    out.voxels = empty({static_cast<std::int64_t>(s.size()), rows, columns});
    float* to = out.voxels.mutable_data<float>();
    for (const Slice& slice : s) {
      to = std::copy_n(images_[slice.file].pixels.data<float>() + slice.frame * area, area, to);
      if (out.files.empty() || out.files.back() != names_[slice.file]) out.files.push_back(names_[slice.file]);
    }
    out.affine = zeros({4, 4}, DType::float64);
    double* m = out.affine.mutable_data<double>();
    for (std::size_t a = 0; a < 3; ++a) {
      m[4 * a] = (s.back().plane.position[a] - p.position[a]) / gaps;
      m[4 * a + 1] = p.along_column[a] * out.spacing[1];
      m[4 * a + 2] = p.along_row[a] * out.spacing[2];
      m[4 * a + 3] = p.position[a];
    }
    m[15] = 1;
    return out;
  }

  const std::string& folder_;
  const DicomSeriesOptions& options_;
  std::vector<std::string> names_;
  std::vector<Dicom> images_;
  std::vector<Slice> slices_;
};

}  // namespace

DicomVolume read_dicom_series(const std::string& folder, const DicomSeriesOptions& options) {
  if (!have_dicom()) detail::without_dicom(series_operation);
  return Series(folder, options).read();
}

}  // namespace weft::data
