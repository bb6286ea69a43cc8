#include <weft/data/dicom.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>

#ifdef WEFT_WITH_DICOM
#include <dcmtk/config/osconfig.h>
// DCMTK asks for its configuration first.
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcmetinf.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcsequen.h>
#include <dcmtk/dcmdata/dcxfer.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/oflog/oflog.h>
#endif

#include <weft/data/dicom_file.h>
#include <weft/data/dicom_scan.h>
#include <weft/data/file.h>
#include <weft/data/npy_bytes.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::data {

bool have_dicom() noexcept {
#ifdef WEFT_WITH_DICOM
  return true;
#else
  return false;
#endif
}

namespace detail {

void without_dicom(const char* operation) {
  throw ConfigError(text(operation, ": this weft was built without DCMTK, which reads DICOM\n",
                         "  help: install libdcmtk-dev and build again with -Ddicom=enabled"));
}

bool is_dicom(const char* operation, const std::string& path) {
  FileSource file(operation, path);
  char mark[4] = {};
  if (file.size() < 132) return false;
  file.read(128, mark, sizeof mark);
  return std::memcmp(mark, "DICM", 4) == 0;
}

#ifndef WEFT_WITH_DICOM
Dicom read_dicom_file(const char* operation, const std::string&, const DicomOptions&, std::string&) {
  without_dicom(operation);
}
#else
namespace {

void prepare() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs();
  });
}

/// Whether an element is there and short: DCMTK reserves what a damaged file claims as soon as the value is asked for.
bool is_short(DcmItem& item, const DcmTagKey& tag) {
  constexpr Uint32 most = 1 << 16;
  DcmElement* element = nullptr;
  return item.findAndGetElement(tag, element).good() && element && element->getLengthField() <= most;
}

std::string word(DcmItem& item, const DcmTagKey& tag) {
  OFString s;
  if (!is_short(item, tag) || item.findAndGetOFString(tag, s).bad()) return {};
  const std::string out(s.c_str());
  return out.substr(0, out.find_last_not_of(' ') + 1);
}
std::optional<double> number(DcmItem& item, const DcmTagKey& tag, unsigned long place = 0) {
  Float64 v = 0;
  if (!is_short(item, tag) || item.findAndGetFloat64(tag, v, place).bad() || !std::isfinite(v)) return {};
  return v;
}

/// What says how stored numbers become pixels.
struct Layout {
  std::int64_t rows = 0, columns = 0, frames = 1, samples = 1;
  int allocated = 0, stored = 0, high = 0;
  bool is_signed = false, planar = false;

  std::int64_t count() const noexcept { return rows * columns * samples * frames; }
};

class File {
 public:
  File(const char* operation, const std::string& path, const DicomOptions& options)
      : operation_(operation),
        path_(path),
        options_(options),
        most_bytes_(static_cast<std::int64_t>(FileSource(operation, path).size())) {}

  Dicom read(std::string& series) {
    const DicomScan scan = scan_dicom(text(operation_, ": ", path_), read_file(operation_, path_));
    const DcmXfer xfer(scan.syntax.c_str());
    const E_TransferSyntax syntax = xfer.getXfer();
    if (scan.syntax != "1.2.840.10008.1.2.1.99" && syntax != EXS_Unknown && !scan.has_pixels)
      wrong(" has no pixels: it is a DICOM file without the element PixelData (7FE0,0010)");
    if (!readable(syntax)) unsupported(syntax == EXS_Unknown ? "unknown" : xfer.getXferName(), scan.syntax);
    if (const OFCondition loaded =
            file_.loadFile(path_.c_str(), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_fileOnly);
        loaded.bad())
      failed(loaded);
    data_ = file_.getDataset();
    if (data_->getOriginalXfer() != syntax) wrong(" is damaged: it names two transfer syntaxes");
    Dicom out;
    out.transfer_syntax = xfer.getXferName();
    layout_ = checked_layout();
    if (scan.in_fragments != static_cast<bool>(xfer.isEncapsulated()))
      wrong(" is damaged: its pixels are in fragments and its transfer syntax has none, or the other way round");
    if (xfer.isEncapsulated()) {
      // DCMTK takes every fragment for a frame's beginning when there are several frames.
      if (layout_.frames > 1 && scan.fragments.size() != static_cast<std::size_t>(layout_.frames))
        wrong(text(" has ", layout_.frames, " frames in ", scan.fragments.size(), " fragments, taken is one for each\n",
                   "  help: unpack it first, e.g. with gdcmconv --raw"));
      most_bytes_ = layout_.count() * (layout_.allocated / 8) + 1;
      if (const OFCondition c = data_->chooseRepresentation(EXS_LittleEndianExplicit, nullptr); c.bad())
        wrong(text(" is damaged: its pixels (", xfer.getXferName(), ") cannot be unpacked: ", c.text()));
      const Layout before = layout_;
      layout_ = checked_layout();  // unpacking changes bits and colours
      if (layout_.count() != before.count()) wrong(" is damaged: its packed pixels have another size than it says");
    } else if (layout_.allocated == 32 && xfer.isBigEndian()) {
      unsupported(xfer.getXferName(), scan.syntax);
    }
    describe(out);
    pixels(out);
    series = word(*data_, DCM_SeriesInstanceUID);
    return out;
  }

  [[noreturn]] void wrong(const std::string& what) const { throw FileError(text(operation_, ": ", path_, what)); }

 private:
  static bool readable(E_TransferSyntax x) {
    switch (x) {
      case EXS_LittleEndianImplicit:
      case EXS_LittleEndianExplicit:
      case EXS_BigEndianExplicit:
      case EXS_RLELossless:
      case EXS_JPEGProcess1:
      case EXS_JPEGProcess2_4:
      case EXS_JPEGProcess14:
      case EXS_JPEGProcess14SV1: return true;
      default: return false;
    }
  }
  [[noreturn]] void unsupported(const std::string& name, const std::string& uid) const {
    wrong(text(" is packed as \"", name, "\" (", uid, "), which is not supported\n",
               "  help: unpack it first, e.g. with dcmconv, dcmdjpls or gdcmconv --raw"));
  }
  [[noreturn]] void failed(const OFCondition& c) const { wrong(text(" is damaged: ", c.text())); }

  std::optional<std::int64_t> whole(const DcmTagKey& tag) const {
    Uint16 v = 0;
    if (!is_short(*data_, tag) || data_->findAndGetUint16(tag, v).bad()) return {};
    return v;
  }
  std::int64_t needed(const DcmTagKey& tag, const char* name) const {
    if (const auto v = whole(tag)) return *v;
    wrong(text(" has a wrong header: it has pixels but no ", name));
  }

  Layout checked_layout() const {
    Layout n;
    n.rows = needed(DCM_Rows, "Rows");
    n.columns = needed(DCM_Columns, "Columns");
    n.allocated = static_cast<int>(needed(DCM_BitsAllocated, "BitsAllocated"));
    n.stored = static_cast<int>(whole(DCM_BitsStored).value_or(n.allocated));
    n.high = static_cast<int>(whole(DCM_HighBit).value_or(n.stored - 1));
    n.is_signed = whole(DCM_PixelRepresentation).value_or(0) == 1;
    n.samples = whole(DCM_SamplesPerPixel).value_or(1);
    n.planar = whole(DCM_PlanarConfiguration).value_or(0) == 1;
    if (const std::string frames = word(*data_, DCM_NumberOfFrames); !frames.empty()) {
      Sint32 v = 0;
      if (data_->findAndGetSint32(DCM_NumberOfFrames, v).bad() || v < 1)
        wrong(text(" has a wrong header: its number of frames is \"", frames, "\""));
      n.frames = v;
    }
    if (n.rows < 1 || n.columns < 1)
      wrong(text(" has a wrong header: it claims ", n.rows, " rows of ", n.columns, " pixels"));
    if (n.allocated != 8 && n.allocated != 16 && n.allocated != 32)
      wrong(text(" has ", n.allocated, " bits a pixel (BitsAllocated), taken are 8, 16 and 32"));
    if (n.stored < 1 || n.stored > n.allocated || n.high >= n.allocated || n.high < n.stored - 1)
      wrong(text(" has a wrong header: ", n.stored, " bits stored, the highest ", n.high, ", of ", n.allocated));
    if (n.rows * n.columns > options_.max_pixels / n.frames)
      wrong(text(" claims ", n.frames, " frames of ", n.rows, " x ", n.columns, " pixels, allowed are ",
                 options_.max_pixels,
                 " together\n  help: raise DicomOptions::max_pixels if the file is to be trusted"));
    const std::string colours = word(*data_, DCM_PhotometricInterpretation);
    const bool packed = DcmXfer(data_->getCurrentXfer()).isEncapsulated();
    const bool grey = colours == "MONOCHROME1" || colours == "MONOCHROME2";
    // A packed picture may have its colours as brightness and differences; unpacking turns them into RGB.
    const bool rgb = colours == "RGB" || (packed && colours.starts_with("YBR_"));
    if ((!grey || n.samples != 1) && (!rgb || n.samples != 3))
      wrong(text(" has pixels of ", n.samples, " numbers with colours \"", colours,
                 "\", taken are MONOCHROME1, MONOCHROME2 and RGB"));
    return n;
  }

  /// The item of a functional group (PS3.3 C.7.6.16) that holds for a frame, or the data set itself, where plain files
  /// keep the same elements.
  DcmItem& group(std::int64_t frame, const DcmTagKey& sequence) const {
    DcmItem *own = nullptr, *item = nullptr;
    const auto at = static_cast<signed long>(frame);
    if (data_->findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, own, at).good() && own &&
        own->findAndGetSequenceItem(sequence, item, 0).good() && item)
      return *item;
    if (data_->findAndGetSequenceItem(DCM_SharedFunctionalGroupsSequence, own, 0).good() && own &&
        own->findAndGetSequenceItem(sequence, item, 0).good() && item)
      return *item;
    return *data_;
  }

  void describe(Dicom& out) const {
    out.modality = word(*data_, DCM_Modality);
    out.photometric = word(*data_, DCM_PhotometricInterpretation);
    out.inverted = out.photometric == "MONOCHROME1";
    DcmItem& values = group(0, DCM_PixelValueTransformationSequence);
    out.units = word(values, DCM_RescaleType);
    DcmItem& shown = group(0, DCM_FrameVOILUTSequence);
    if (const std::string f = word(shown, DCM_VOILUTFunction); !f.empty()) out.window_function = f;
    for (unsigned long i = 0; i < 16; ++i) {
      const auto c = number(shown, DCM_WindowCenter, i), w = number(shown, DCM_WindowWidth, i);
      if (!c || !w) break;
      if (*w > 0) out.windows.push_back({*c, *w});
    }
    DcmItem& measures = group(0, DCM_PixelMeasuresSequence);
    for (const DcmTagKey& tag : {DCM_PixelSpacing, DCM_ImagerPixelSpacing}) {
      const auto down = number(measures, tag, 0), across = number(measures, tag, 1);
      if (!out.spacing && down && across && *down > 0 && *across > 0) out.spacing = {*down, *across};
    }
    out.slice_thickness = number(measures, DCM_SliceThickness);
    for (std::int64_t f = 0; f < layout_.frames; ++f)
      if (const auto p = plane(f)) out.planes.push_back(*p);
    if (out.planes.size() != static_cast<std::size_t>(layout_.frames)) out.planes.resize(out.planes.empty() ? 0 : 1);
  }

  std::optional<DicomPlane> plane(std::int64_t frame) const {
    DicomPlane p;
    DcmItem &where = group(frame, DCM_PlanePositionSequence), &direction = group(frame, DCM_PlaneOrientationSequence);
    for (unsigned long i = 0; i < 3; ++i) {
      const auto x = number(where, DCM_ImagePositionPatient, i), r = number(direction, DCM_ImageOrientationPatient, i),
                 c = number(direction, DCM_ImageOrientationPatient, i + 3);
      if (!x || !r || !c) return {};
      p.position[i] = *x;
      p.along_row[i] = *r;
      p.along_column[i] = *c;
    }
    const auto dot = [](const auto& a, const auto& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; };
    const double row = std::sqrt(dot(p.along_row, p.along_row)),
                 column = std::sqrt(dot(p.along_column, p.along_column));
    if (std::abs(row - 1) > 1e-2 || std::abs(column - 1) > 1e-2 || std::abs(dot(p.along_row, p.along_column)) > 1e-2)
      wrong(" has a wrong header: ImageOrientationPatient is not two unit vectors at a right angle");
    for (std::size_t i = 0; i < 3; ++i) {
      p.along_row[i] /= row;
      p.along_column[i] /= column;
    }
    return p;
  }

  void pixels(Dicom& out) const {
    const Layout& n = layout_;
    DcmElement* element = nullptr;
    if (data_->findAndGetElement(DCM_PixelData, element).bad() || !element) wrong(" has no pixels");
    const auto has = static_cast<std::int64_t>(element->getLength(EXS_LittleEndianExplicit)),
               needs = n.count() * (n.allocated / 8);
    if (has < needs)
      wrong(text(" is cut short, or has a wrong header: ", n.frames, " frames of ", n.rows, " x ", n.columns, " x ",
                 n.samples, " numbers make ", needs, " bytes, it has ", has));
    const bool grey = n.samples == 1;
    if (grey && options_.rescale && data_->tagExists(DCM_ModalityLUTSequence))
      wrong(
          " has a lookup table instead of slope and intercept, which is not supported\n"
          "  help: set DicomOptions::rescale to false for the numbers as stored");
    Shape shape{n.rows, n.columns};
    if (!grey) shape.insert(0, n.samples);
    if (n.frames > 1) shape.insert(0, n.frames);
    out.pixels = empty(shape);
    float* to = out.pixels.mutable_data<float>();
    const std::int64_t size = n.rows * n.columns * n.samples;
    if (has > most_bytes_) wrong(text(" is cut short: its pixels claim ", has, " bytes"));
    Uint8* bytes = nullptr;
    Uint16* words = nullptr;
    const OFCondition c = n.allocated == 8 ? element->getUint8Array(bytes) : element->getUint16Array(words);
    if (c.bad() || (!bytes && !words)) failed(c);
    for (std::int64_t f = 0; f < n.frames; ++f, to += size) {
      double slope = 1, intercept = 0;
      if (grey && options_.rescale) {
        DcmItem& values = group(f, DCM_PixelValueTransformationSequence);
        slope = number(values, DCM_RescaleSlope).value_or(1);
        intercept = number(values, DCM_RescaleIntercept).value_or(0);
        if (slope == 0) wrong(" has a wrong header: its RescaleSlope is 0");
      }
      const std::int64_t first = f * size;
      const auto fill = [&](auto stored) {
        for (std::int64_t i = 0; i < size; ++i) {
          // RGB RGB ... -> plane by plane, unless it lies so already
          const std::int64_t from =
              grey || n.planar ? i : i % (n.rows * n.columns) * n.samples + i / (n.rows * n.columns);
          to[i] = static_cast<float>(slope * value(stored(first + from)) + intercept);
        }
      };
      if (n.allocated == 8)
        fill([&](std::int64_t i) { return std::uint32_t{bytes[i]}; });
      else if (n.allocated == 16)
        fill([&](std::int64_t i) { return std::uint32_t{words[i]}; });
      else
        fill([&](std::int64_t i) { return words[2 * i] | static_cast<std::uint32_t>(words[2 * i + 1]) << 16; });
    }
  }

  /// The bits that count, as a number.
  double value(std::uint32_t raw) const noexcept {
    const int unused = 31 - layout_.high, width = 32 - layout_.stored;
    const std::uint32_t top = raw << unused;  // the sign is the highest bit now, what lies above is gone
    return layout_.is_signed ? static_cast<double>(static_cast<std::int32_t>(top) >> width)
                             : static_cast<double>(top >> width);
  }

  const char* operation_;
  const std::string& path_;
  const DicomOptions& options_;
  std::int64_t most_bytes_;  // that the pixels can take
  DcmFileFormat file_;
  DcmDataset* data_ = nullptr;
  Layout layout_;
};

}  // namespace

Dicom read_dicom_file(const char* operation, const std::string& path, const DicomOptions& options,
                      std::string& series) {
  prepare();
  if (!is_dicom(operation, path)) {
    const FileSource file(operation, path);
    throw FileError(
        text(operation, ": ", path, file.size() == 0 ? " is empty" : " is not a DICOM file: it has no mark DICM"));
  }
  try {
    return File(operation, path, options).read(series);
  } catch (const std::bad_alloc&) {
    throw FileError(text(operation, ": ", path, " needs more memory than there is"));
  }
}
#endif

}  // namespace detail

Dicom read_dicom(const std::string& path, const DicomOptions& options) {
  std::string series;
  return detail::read_dicom_file("read_dicom", path, options, series);
}

namespace {

/// PS3.3 C.11.2.1.2 and C.11.2.1.3.
Tensor brightness(const Tensor& pixels, const std::function<double(double)>& f) {
  Tensor out = empty(pixels.shape());
  float* to = out.mutable_data<float>();
  for (const double v : to_vector<double>(pixels)) *to++ = static_cast<float>(f(v));
  return out;
}

double linear(double x, double centre, double width) {
  if (x <= centre - 0.5 - (width - 1) / 2) return 0;
  if (x > centre - 0.5 + (width - 1) / 2) return 1;
  return (x - (centre - 0.5)) / (width - 1) + 0.5;
}

}  // namespace

Tensor window(const Tensor& pixels, double centre, double width) {
  if (!(width >= 1) || !std::isfinite(centre) || !std::isfinite(width))
    throw ConfigError(
        text("window: the width must be 1 or more and both numbers finite, not centre ", centre, " and width ", width));
  return brightness(pixels, [&](double x) { return linear(x, centre, width); });
}

Tensor displayed(const Dicom& image) {
  const std::vector<double> all = to_vector<double>(image.pixels);
  if (all.empty()) throw ShapeError("displayed: there are no pixels");
  const auto [low, high] = std::minmax_element(all.begin(), all.end());
  const double least = *low, range = *high > *low ? *high - *low : 1;
  Tensor out;
  if (image.photometric == "RGB") {
    const double most = *high > 0 ? *high : 1;
    out = brightness(image.pixels, [&](double x) { return x / most; });
  } else if (image.windows.empty()) {
    out = brightness(image.pixels, [&](double x) { return (x - least) / range; });
  } else {
    const auto [c, w] = image.windows.front();
    if (image.window_function == "SIGMOID")
      out = brightness(image.pixels, [c = c, w = w](double x) { return 1 / (1 + std::exp(-4 * (x - c) / w)); });
    else if (image.window_function == "LINEAR_EXACT")
      out = brightness(image.pixels, [c = c, w = w](double x) { return std::clamp((x - c) / w + 0.5, 0.0, 1.0); });
    else
      out = window(image.pixels, c, w);
  }
  if (image.inverted) out = kernels::binary(kernels::Binary::sub, Scalar(1.0), out);
  return out;
}

}  // namespace weft::data
