#include <weft/data/nifti.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>

#ifdef WEFT_WITH_NIFTI
#include <nifti/nifti2_io.h>
#endif

#include <weft/data/file.h>
#include <weft/data/gzip.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::data {

bool have_nifti() noexcept {
#ifdef WEFT_WITH_NIFTI
  return true;
#else
  return false;
#endif
}

#ifndef WEFT_WITH_NIFTI
namespace {
[[noreturn]] void without(const char* operation) {
  throw ConfigError(text(operation, ": this weft was built without libnifti2, which knows NIfTI\n",
                         "  help: install libnifti2-dev and build again with -Dnifti=enabled"));
}
}  // namespace
Nifti read_nifti(const std::string&, const NiftiOptions&) { without("read_nifti"); }
void write_nifti(const std::string&, const Tensor&, const Tensor&, const std::vector<double>&) {
  without("write_nifti");
}
#else
namespace {

using Matrix = std::array<std::array<double, 4>, 4>;

/// libnifti2 complains on standard error unless told.
void silence() {
  static std::once_flag once;
  std::call_once(once, [] { nifti_set_debug_level(0); });
}

template <class T>
T swapped(T v, bool swap) {
  if (!swap) return v;
  auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(v);
  std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

struct Kind {
  int code;
  std::size_t bytes;
  DType native;
};
constexpr Kind kinds[] = {
    {DT_UINT8, 1, DType::uint8},     {DT_INT8, 1, DType::int8},    {DT_INT16, 2, DType::int32},
    {DT_UINT16, 2, DType::int32},    {DT_INT32, 4, DType::int32},  {DT_UINT32, 4, DType::int64},
    {DT_INT64, 8, DType::int64},     {DT_UINT64, 8, DType::int64}, {DT_FLOAT32, 4, DType::float32},
    {DT_FLOAT64, 8, DType::float64},
};

/// What a header says, in this machine's byte order and checked against itself.
struct Header {
  bool swap = false;
  Kind kind{};
  Shape sizes;
  double slope = 1, intercept = 0;
  std::size_t begin = 0, bytes = 0;  // where the numbers are and how many bytes they take
  std::unique_ptr<nifti_image, void (*)(nifti_image*)> image{nullptr, nifti_image_free};
};

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Header header(std::string_view bytes) const {
    if (bytes.empty()) wrong(" is empty");
    std::int32_t size = 0;
    if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
    const bool swap = size == swapped(348, true) || size == swapped(540, true);
    size = swapped(size, swap);
    if (size != 348 && size != 540) wrong(" is not a NIfTI file: its header claims neither 348 nor 540 bytes");
    if (bytes.size() < static_cast<std::size_t>(size)) wrong(" ends within its header");
    return size == 348 ? checked<nifti_1_header>(bytes, swap) : checked<nifti_2_header>(bytes, swap);
  }

  [[noreturn]] void wrong(const std::string& what) const { throw FileError("read_nifti: " + path_ + what); }

 private:
  template <class Raw>
  Header checked(std::string_view bytes, bool swap) const {
    constexpr bool old = sizeof(Raw) == 348;
    Raw raw;
    std::memcpy(&raw, bytes.data(), sizeof raw);
    const std::string_view magic(raw.magic, 3), single = old ? "n+1" : "n+2", pair = old ? "ni1" : "ni2";
    if (magic == pair)
      wrong(" is half of a pair of .hdr and .img\n  help: make one .nii of it, e.g. with nifti_tool -copy_im");
    if (magic != single) wrong(" is not a NIfTI file: its header has no mark n+1 or n+2");

    Header h;
    h.swap = swap;
    const auto axes = static_cast<std::int64_t>(swapped(raw.dim[0], swap));
    if (axes < 1 || axes > 7) wrong(text(" has a wrong header: it claims ", axes, " axes, NIfTI has 1 to 7"));
    const int code = swapped(raw.datatype, swap), bits = swapped(raw.bitpix, swap);
    const Kind* kind = std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return k.code == code; });
    if (kind == std::end(kinds))
      wrong(text(" holds numbers of type ", code, ", which are not supported (taken are whole and real numbers)"));
    h.kind = *kind;
    if (bits != static_cast<int>(8 * h.kind.bytes))
      wrong(text(" has a wrong header: numbers of type ", code, " have ", 8 * h.kind.bytes, " bits, it claims ", bits));
    h.bytes = h.kind.bytes;
    for (int a = 1; a <= static_cast<int>(axes); ++a) {
      const auto n = static_cast<std::int64_t>(swapped(raw.dim[a], swap));
      if (n < 1) wrong(text(" has a wrong header: axis ", a, " has ", n, " voxels"));
      h.sizes.push_back(n);
      if (__builtin_mul_overflow(h.bytes, static_cast<std::size_t>(n), &h.bytes) || h.bytes > std::size_t{1} << 46)
        wrong(" has a wrong header: it claims an absurd size");
    }
    constexpr double first = old ? 352 : 544, last = 1LL << 46;
    const auto offset = static_cast<double>(swapped(raw.vox_offset, swap));
    if (!(offset >= first && offset <= last))
      wrong(text(" has a wrong header: its voxels begin at byte ", offset, ", the first possible is ", first));
    h.begin = static_cast<std::size_t>(offset);

    // Spacing and affine are libnifti's; it gets nothing but the first axes, which are known to be good.
    silence();
    if constexpr (old)
      h.image.reset(nifti_convert_n1hdr2nim(raw, path_.c_str()));
    else
      h.image.reset(nifti_convert_n2hdr2nim(raw, path_.c_str()));
    if (!h.image) wrong(" has a wrong header: libnifti2 refuses it");
    if (const double slope = h.image->scl_slope; std::isfinite(slope) && slope != 0) {
      h.slope = slope;
      h.intercept = std::isfinite(h.image->scl_inter) ? h.image->scl_inter : 0;
    }
    return h;
  }

  const std::string& path_;
};

template <class From, class To>
void read_numbers(Tensor& x, const char* from, const Header& h, bool scale) {
  To* to = x.mutable_data<To>();
  const double slope = h.slope, intercept = h.intercept;
  const bool plain = !scale || (slope == 1 && intercept == 0);
  for (std::int64_t i = 0; i < x.numel(); ++i, from += sizeof(From)) {
    From v;
    std::memcpy(&v, from, sizeof v);
    v = swapped(v, h.swap);
    to[i] = plain ? static_cast<To>(v) : static_cast<To>(slope * static_cast<double>(v) + intercept);
  }
}
template <class From, class Native>
void read_as(Tensor& x, const char* from, const Header& h, bool native) {
  if (native)
    read_numbers<From, Native>(x, from, h, false);
  else
    read_numbers<From, float>(x, from, h, true);
}

/// The numbers as the file has them: its first axis is the fastest, so it comes last.
Tensor numbers(const char* from, const Header& h, bool native) {
  Shape reversed;
  for (int a = h.sizes.size(); a-- > 0;) reversed.push_back(h.sizes[a]);
  Tensor x = empty(reversed, native ? h.kind.native : DType::float32);
  switch (h.kind.code) {
    case DT_UINT8: read_as<std::uint8_t, std::uint8_t>(x, from, h, native); break;
    case DT_INT8: read_as<std::int8_t, std::int8_t>(x, from, h, native); break;
    case DT_INT16: read_as<std::int16_t, std::int32_t>(x, from, h, native); break;
    case DT_UINT16: read_as<std::uint16_t, std::int32_t>(x, from, h, native); break;
    case DT_INT32: read_as<std::int32_t, std::int32_t>(x, from, h, native); break;
    case DT_UINT32: read_as<std::uint32_t, std::int64_t>(x, from, h, native); break;
    case DT_INT64: read_as<std::int64_t, std::int64_t>(x, from, h, native); break;
    case DT_UINT64: read_as<std::uint64_t, std::int64_t>(x, from, h, native); break;
    case DT_FLOAT32: read_as<float, float>(x, from, h, native); break;
    default: read_as<double, double>(x, from, h, native); break;
  }
  return x;
}

Matrix matrix_of(const nifti_dmat44& m) {
  Matrix out;
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) out[i][j] = m.m[i][j];
  return out;
}
double determinant(const Matrix& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}
Tensor tensor_of(const Matrix& m) {
  Tensor x = empty({4, 4}, DType::float64);
  std::memcpy(x.mutable_data<double>(), m.data(), sizeof m);
  return x;
}

const char* space_of(int code) {
  switch (code) {
    case NIFTI_XFORM_SCANNER_ANAT: return "scanner";
    case NIFTI_XFORM_ALIGNED_ANAT: return "aligned";
    case NIFTI_XFORM_TALAIRACH: return "talairach";
    case NIFTI_XFORM_MNI_152: return "mni";
    case 5: return "template";  // NIFTI_XFORM_TEMPLATE_OTHER, which older headers do not name
    default: return "unknown";
  }
}

/// Where each axis of the result comes from, and whether it runs the other way.
struct Orientation {
  std::array<int, 3> from{0, 1, 2};
  std::array<bool, 3> flip{};
};
/// The assignment of the file's axes to right, front and top that agrees best with the affine's directions.
Orientation nearest_ras(const Matrix& m) {
  std::array<std::array<double, 3>, 3> cosine{};
  for (std::size_t j = 0; j < 3; ++j) {
    const double length = std::hypot(m[0][j], m[1][j], m[2][j]);
    for (std::size_t i = 0; i < 3; ++i) cosine[i][j] = m[i][j] / length;
  }
  Orientation best;
  double most = -1;
  std::array<int, 3> from{0, 1, 2};
  do {
    double sum = 0;
    for (std::size_t i = 0; i < 3; ++i) sum += std::abs(cosine[i][static_cast<std::size_t>(from[i])]);
    if (sum > most + 1e-12) {
      most = sum;
      best.from = from;
    }
  } while (std::next_permutation(from.begin(), from.end()));
  for (std::size_t i = 0; i < 3; ++i) best.flip[i] = cosine[i][static_cast<std::size_t>(best.from[i])] < 0;
  return best;
}

/// Flips and swaps the first three axes, and the affine with them: it still says where each voxel lies.
void reorient(Tensor& voxels, Matrix& affine, std::vector<double>& spacing) {
  const Orientation o = nearest_ras(affine);
  Shape shape = voxels.shape();
  Strides strides = voxels.strides();
  const Matrix old = affine;
  const std::vector<double> old_spacing = spacing;
  std::vector<int> flips;
  for (int a = 0; a < 3; ++a) {
    const auto to = static_cast<std::size_t>(a), from = static_cast<std::size_t>(o.from[to]);
    shape[a] = voxels.shape()[o.from[to]];
    strides[a] = voxels.strides()[o.from[to]];
    spacing[to] = old_spacing[from];
    for (std::size_t i = 0; i < 3; ++i) affine[i][to] = o.flip[to] ? -old[i][from] : old[i][from];
    if (!o.flip[to]) continue;
    flips.push_back(a);
    for (std::size_t i = 0; i < 3; ++i) affine[i][3] += old[i][from] * static_cast<double>(shape[a] - 1);
  }
  voxels = view_as(voxels, shape, strides);
  if (!flips.empty()) voxels = kernels::flip(voxels, flips);
}

}  // namespace

Nifti read_nifti(const std::string& path, const NiftiOptions& options) {
  const Reader reader(path);
  std::string bytes = read_file("read_nifti", path);
  if (detail::is_gzip(bytes)) {
    const Header h = reader.header(detail::gunzip("read_nifti", path, bytes, 540));
    bytes = detail::gunzip("read_nifti", path, bytes, h.begin + h.bytes);
  }
  const Header h = reader.header(bytes);
  if (bytes.size() != h.begin + h.bytes)
    reader.wrong(text(bytes.size() < h.begin + h.bytes ? " is cut short: it" : " has a wrong header: it", " needs ",
                      h.begin + h.bytes, " bytes for ", h.sizes, ", it has ",
                      bytes.size() > h.begin + h.bytes ? "more" : std::to_string(bytes.size())));
  if (options.native && h.kind.code == DT_UINT64)
    reader.wrong(" holds uint64, which weft has not\n  help: leave out NiftiOptions::native");

  const nifti_image& image = *h.image;
  Nifti out;
  const double mm = image.xyz_units == NIFTI_UNITS_METER ? 1e3 : image.xyz_units == NIFTI_UNITS_MICRON ? 1e-3 : 1;
  const double seconds = image.time_units == NIFTI_UNITS_MSEC ? 1e-3 : image.time_units == NIFTI_UNITS_USEC ? 1e-6 : 1;
  for (int a = 1; a <= h.sizes.size(); ++a) {
    const double d = std::abs(image.pixdim[a]);
    out.spacing.push_back(a <= 3 ? d * mm : a == 4 ? d * seconds : d);
  }
  Matrix affine{};
  if (image.sform_code > 0) {
    affine = matrix_of(image.sto_xyz);
    out.space = space_of(image.sform_code);
  } else if (image.qform_code > 0) {
    affine = matrix_of(image.qto_xyz);
    out.space = space_of(image.qform_code);
  } else {
    for (std::size_t a = 0; a < 3; ++a) affine[a][a] = std::abs(image.pixdim[a + 1]);
    affine[3][3] = 1;
    out.space = "unknown";
  }
  for (std::size_t i = 0; i < 3; ++i)
    for (double& v : affine[i]) v *= mm;

  const int axes = h.sizes.size();
  if (options.to_ras && axes < 3)
    reader.wrong(text(" has ", axes, " axes, to_ras needs three\n  help: leave out NiftiOptions::to_ras"));
  const double volume = determinant(affine);
  if (options.to_ras && !(std::abs(volume) > 0 && std::isfinite(volume)))
    reader.wrong(" has an affine without inverse, so to_ras has no meaning\n  help: leave out NiftiOptions::to_ras");
  const Tensor stored = numbers(bytes.data() + h.begin, h, options.native);
  Strides strides;
  for (int a = 0; a < axes; ++a) strides.push_back(stored.strides()[axes - 1 - a]);
  out.voxels = view_as(stored, h.sizes, strides);
  if (options.to_ras) reorient(out.voxels, affine, out.spacing);
  out.voxels = kernels::contiguous(out.voxels);
  out.affine = tensor_of(affine);
  return out;
}

namespace {

template <class Raw, class Number>
std::string header_bytes(const Tensor& x, const Kind& kind, const Matrix& m, const std::vector<double>& spacing) {
  Raw raw;
  std::memset(&raw, 0, sizeof raw);
  constexpr bool old = sizeof(Raw) == 348;
  raw.sizeof_hdr = sizeof raw;
  // NIfTI-2's mark ends in four bytes that show a file spoilt by a change of line ends.
  if constexpr (old)
    std::memcpy(raw.magic, "n+1", 4);
  else
    std::memcpy(raw.magic, "n+2\0\r\n\032\n", 8);
  raw.datatype = static_cast<std::int16_t>(kind.code);
  raw.bitpix = static_cast<std::int16_t>(8 * kind.bytes);
  for (auto& n : raw.dim) n = 1;
  for (auto& d : raw.pixdim) d = 1;
  raw.dim[0] = static_cast<std::remove_reference_t<decltype(raw.dim[0])>>(x.dim());
  for (int a = 0; a < x.dim(); ++a) {
    raw.dim[a + 1] = static_cast<std::remove_reference_t<decltype(raw.dim[0])>>(x.shape()[a]);
    raw.pixdim[a + 1] = static_cast<Number>(spacing[static_cast<std::size_t>(a)]);
  }
  raw.vox_offset = old ? 352 : 544;
  raw.scl_slope = 1;
  raw.xyzt_units = NIFTI_UNITS_MM | NIFTI_UNITS_SEC;
  raw.sform_code = NIFTI_XFORM_ALIGNED_ANAT;
  for (std::size_t j = 0; j < 4; ++j) {
    raw.srow_x[j] = static_cast<Number>(m[0][j]);
    raw.srow_y[j] = static_cast<Number>(m[1][j]);
    raw.srow_z[j] = static_cast<Number>(m[2][j]);
  }
  double skew = 0;  // the largest cosine between two axes
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t b = 0; b < a; ++b)
      skew = std::max(skew,
                      std::abs(m[0][a] * m[0][b] + m[1][a] * m[1][b] + m[2][a] * m[2][b]) / (spacing[a] * spacing[b]));
  if (skew < 1e-6) {
    nifti_dmat44 r;
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) r.m[i][j] = m[i][j];
    double b, c, d, x0, y0, z0, dx, dy, dz, side;
    nifti_dmat44_to_quatern(r, &b, &c, &d, &x0, &y0, &z0, &dx, &dy, &dz, &side);
    raw.qform_code = NIFTI_XFORM_ALIGNED_ANAT;
    raw.pixdim[0] = static_cast<Number>(side);
    raw.quatern_b = static_cast<Number>(b);
    raw.quatern_c = static_cast<Number>(c);
    raw.quatern_d = static_cast<Number>(d);
    raw.qoffset_x = static_cast<Number>(x0);
    raw.qoffset_y = static_cast<Number>(y0);
    raw.qoffset_z = static_cast<Number>(z0);
  }
  std::string out(reinterpret_cast<const char*>(&raw), sizeof raw);
  out.append(4, '\0');  // no extensions
  return out;
}

}  // namespace

void write_nifti(const std::string& path, const Tensor& given, const Tensor& affine,
                 const std::vector<double>& spacing) {
  const auto said = [&](const std::string& what) { return "write_nifti: " + path + ": " + what; };
  if (given.dim() < 1 || given.dim() > 7 || given.numel() == 0)
    throw ShapeError(said(text("a volume has 1 to 7 axes of at least 1 voxel, not ", given.shape())));
  Matrix m{};
  for (std::size_t i = 0; i < 4; ++i) m[i][i] = 1;
  if (affine.defined()) {
    if (affine.shape() != Shape{4, 4}) throw ShapeError(said(text("the affine is (4, 4), not ", affine.shape())));
    const std::vector<double> v = to_vector<double>(affine);
    for (std::size_t i = 0; i < 16; ++i) m[i / 4][i % 4] = v[i];
    const double volume = determinant(m);
    if (!(std::abs(volume) > 0 && std::isfinite(volume)) || m[3] != std::array<double, 4>{0, 0, 0, 1})
      throw ConfigError(said("the affine has no inverse, or its last row is not 0 0 0 1"));
  }
  const auto axes = static_cast<std::size_t>(given.dim());
  if (spacing.size() > axes)
    throw ShapeError(said(text("spacing has ", spacing.size(), " numbers for ", axes, " axes")));
  std::vector<double> steps(std::max<std::size_t>(axes, 3), 1);
  std::copy(spacing.begin(), spacing.end(), steps.begin());
  for (std::size_t a = 0; a < 3; ++a) steps[a] = std::hypot(m[0][a], m[1][a], m[2][a]);

  Tensor x = detach(given);
  if (x.dtype() == DType::boolean) x = kernels::cast(x, DType::uint8);
  if (x.dtype() == DType::bfloat16) x = kernels::cast(x, DType::float32);
  const Kind kind = *std::find_if(std::begin(kinds), std::end(kinds),
                                  [&](const Kind& k) { return k.native == x.dtype() && k.bytes == size_of(k.native); });
  Shape reversed;
  Strides strides;
  bool longer = false;
  for (int a = x.dim(); a-- > 0;) {
    reversed.push_back(x.shape()[a]);
    strides.push_back(x.strides()[a]);
    longer = longer || x.shape()[a] > INT16_MAX;
  }
  const Tensor ordered = kernels::contiguous(view_as(x, reversed, strides));
  std::string bytes = longer ? header_bytes<nifti_2_header, double>(x, kind, m, steps)
                             : header_bytes<nifti_1_header, float>(x, kind, m, steps);
  bytes.append(static_cast<const char*>(ordered.body().data), static_cast<std::size_t>(x.numel()) * kind.bytes);
  write_file("write_nifti", path, path.ends_with(".gz") ? detail::gzip("write_nifti", path, bytes) : bytes);
}
#endif

}  // namespace weft::data
