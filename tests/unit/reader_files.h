#pragma once
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Small valid files, byte by byte as their standards say, for the tests and the fuzzer of the readers.
namespace weft::tests {

inline std::string from_hex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return out;
}

/// A number in little-endian order.
template <class T>
std::string little(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

// ---- JPEG

/// 8 x 8, grey, baseline; row y has about the value 32 y.
inline std::string grey_jpeg() {
  return from_hex(
      "ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a070706080c"
      "0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc0000b080008000801011100ffc4"
      "0014000100000000000000000000000000000006ffc400171000030100000000000000000000000000001965a3ffda0008010100"
      "003f0028b6e5e67fffd9");
}
/// 8 rows of 16, grey, baseline: left as grey_jpeg(), right 136 everywhere.
inline std::string two_blocks_jpeg() {
  std::string file = grey_jpeg();
  file[file.find("\xff\xc0") + 8] = 16;
  return file.replace(file.size() - 3, 1, from_hex("3f3f"));
}
/// A JPEG with an EXIF part that holds a TIFF file.
inline std::string with_exif(const std::string& jpeg, const std::string& tiff) {
  const std::size_t size = tiff.size() + 8;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(size >> 8) + static_cast<char>(size & 255) +
         std::string("Exif\0\0", 6) + tiff + jpeg.substr(2);
}
/// A TIFF file of one directory: a width, then the orientation.
inline std::string orientation_tiff(int orientation, bool little) {
  std::string tiff = from_hex(little ? "49492a0008000000020000010300010000001000000012010300010000000000000000000000"
                                     : "4d4d002a00000008000201000003000000010010000001120003000000010000000000000000");
  tiff[30 + !little] = static_cast<char>(orientation);
  return tiff;
}
/// 16 x 8, progressive, all of it red 200, green 100, blue 50 or nearly.
inline std::string colour_jpeg() {
  return from_hex(
      "ffd8ffe000104a46494600010100000100010000ffdb004300100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a"
      "333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffdb0043011112121815182f1a1a2f"
      "63423842636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363636363"
      "6363ffc20011080008001003011100021101031101ffc4001500010100000000000000000000000000000001ffc4001501010100"
      "000000000000000000000000000004ffda000c0301000210031000000192d83fffc4001410010000000000000000000000000000"
      "0010ffda00080101000105023fffc40014110100000000000000000000000000000010ffda0008010301013f013fffc400141101"
      "00000000000000000000000000000010ffda0008010201013f013fffc40014100100000000000000000000000000000010ffda00"
      "08010100063f023fffc40014100100000000000000000000000000000010ffda0008010100013f213fffda000c03010002000300"
      "00001027ffc40014110100000000000000000000000000000010ffda0008010301013f103fffc400141101000000000000000000"
      "00000000000010ffda0008010201013f103fffc40014100100000000000000000000000000000010ffda0008010100013f103fff"
      "d9");
}

// ---- DICOM: explicit VR, little-endian

inline constexpr const char* plain_syntax = "1.2.840.10008.1.2.1";

using DicomElements = std::map<std::pair<int, int>, std::pair<std::string, std::string>>;  // tag -> VR, value

inline std::string dicom_element(std::pair<int, int> tag, const std::string& vr, std::string value) {
  if (value.size() % 2) value += vr == "UI" || vr == "OB" ? '\0' : ' ';
  std::string out = little(static_cast<std::uint16_t>(tag.first)) + little(static_cast<std::uint16_t>(tag.second)) + vr;
  const bool wide = vr == "OB" || vr == "OW" || vr == "SQ" || vr == "UN";
  out += wide ? std::string(2, '\0') + little(static_cast<std::uint32_t>(value.size()))
              : little(static_cast<std::uint16_t>(value.size()));
  return out + value;
}
inline std::string dicom_file(const DicomElements& elements, const std::string& syntax = plain_syntax) {
  const std::string meta = dicom_element({2, 1}, "OB", std::string("\0\1", 2)) +
                           dicom_element({2, 2}, "UI", "1.2.840.10008.5.1.4.1.1.2") +
                           dicom_element({2, 3}, "UI", "1.2.3.4") + dicom_element({2, 0x10}, "UI", syntax) +
                           dicom_element({2, 0x12}, "UI", "1.2.3");
  std::string out(128, '\0');  // appended step by step: g++ 12 sees overruns in sums of strings
  out += "DICM";
  out += dicom_element({2, 0}, "UL", little(static_cast<std::uint32_t>(meta.size())));
  out += meta;
  for (const auto& [tag, value] : elements) out += dicom_element(tag, value.first, value.second);
  return out;
}

inline std::string words(const std::vector<int>& values) {
  std::string out;
  for (const int v : values) out += little(static_cast<std::uint16_t>(v));
  return out;
}
/// A CT slice of 2 rows of 3 pixels, 12 bits stored in 16, slope 2, intercept -1000, at height z mm.
inline DicomElements ct_slice(const std::string& z = "0", const std::vector<int>& pixels = {0, 1, 2, 500, 1000, 4095}) {
  const auto us = [](int v) { return std::pair<std::string, std::string>("US", words({v})); };
  return {{{0x8, 0x60}, {"CS", "CT"}},
          {{0x10, 0x10}, {"PN", "Nobody^At All"}},
          {{0x18, 0x50}, {"DS", "5"}},
          {{0x20, 0xe}, {"UI", "1.2.3.4.5"}},
          {{0x20, 0x32}, {"DS", "-10\\20\\" + z}},
          {{0x20, 0x37}, {"DS", "1\\0\\0\\0\\1\\0"}},
          {{0x28, 0x2}, us(1)},
          {{0x28, 0x4}, {"CS", "MONOCHROME2"}},
          {{0x28, 0x10}, us(2)},
          {{0x28, 0x11}, us(3)},
          {{0x28, 0x30}, {"DS", "0.5\\0.75"}},
          {{0x28, 0x100}, us(16)},
          {{0x28, 0x101}, us(12)},
          {{0x28, 0x102}, us(11)},
          {{0x28, 0x103}, us(0)},
          {{0x28, 0x1050}, {"DS", "40\\-600"}},
          {{0x28, 0x1051}, {"DS", "400\\1500"}},
          {{0x28, 0x1052}, {"DS", "-1000"}},
          {{0x28, 0x1053}, {"DS", "2"}},
          {{0x28, 0x1054}, {"LO", "HU"}},
          {{0x7fe0, 0x10}, {"OW", words(pixels)}}};
}

// ---- NIfTI-1

template <class T>
void put(std::string& bytes, std::size_t at, T value, bool swap = false) {
  std::string number = little(value);
  if (swap) number.assign(number.rbegin(), number.rend());
  bytes.replace(at, number.size(), number);
}

/// A header of 352 bytes for int16 voxels of the given sizes, 1 x 2 x 3 mm apart, without sform and qform.
inline std::string nifti_header(const std::vector<int>& sizes, bool swap = false) {
  std::string h(352, '\0');
  put(h, 0, std::int32_t{348}, swap);
  put(h, 40, static_cast<std::int16_t>(sizes.size()), swap);
  for (std::size_t a = 0; a < 7; ++a) {
    put(h, 42 + 2 * a, static_cast<std::int16_t>(a < sizes.size() ? sizes[a] : 1), swap);
    put(h, 80 + 4 * a, a < 3 ? static_cast<float>(a + 1) : 1.0F, swap);
  }
  put(h, 70, std::int16_t{4}, swap);   // int16
  put(h, 72, std::int16_t{16}, swap);  // bits
  put(h, 76, 1.0F, swap);
  put(h, 108, 352.0F, swap);
  h[123] = 2;  // mm
  h.replace(344, 4, std::string("n+1\0", 4));
  return h;
}
/// The rows of the sform, with its code.
inline void put_sform(std::string& header, const std::vector<float>& rows) {
  put(header, 254, std::int16_t{1});
  for (std::size_t i = 0; i < 12; ++i) put(header, 280 + 4 * i, rows[i]);
}

// ---- EDF

struct EdfChannel {
  std::string label = "ECG", unit = "mV", physical_min = "-1", physical_max = "1", digital_min = "-100",
              digital_max = "100";
  std::vector<int> values = {};  // of all records
};
struct EdfText {
  std::string version = "0", reserved = "", header_bytes = "", records = "2", duration = "0.5", signals = "";
};
inline std::string edf_file(const std::vector<EdfChannel>& channels, EdfText t = {}) {
  std::string out;
  const auto add = [&out](std::string_view s, std::size_t width) {
    s = s.substr(0, width);
    out.append(s).append(width - s.size(), ' ');
  };
  if (t.signals.empty()) t.signals = std::to_string(channels.size());
  if (t.header_bytes.empty()) t.header_bytes = std::to_string(256 * (channels.size() + 1));
  add(t.version, 8);
  add("X X X X", 80);
  add("Startdate X X X X", 80);
  add("31.01.24", 8);
  add("23.59.30", 8);
  add(t.header_bytes, 8);
  add(t.reserved, 44);
  add(t.records, 8);
  add(t.duration, 8);
  add(t.signals, 4);
  const std::size_t records = 2;
  const auto all = [&](std::size_t width, auto&& get) {
    for (const EdfChannel& c : channels) add(get(c), width);
  };
  all(16, [](const EdfChannel& c) { return c.label; });
  all(80, [](const EdfChannel&) { return std::string(); });
  all(8, [](const EdfChannel& c) { return c.unit; });
  all(8, [](const EdfChannel& c) { return c.physical_min; });
  all(8, [](const EdfChannel& c) { return c.physical_max; });
  all(8, [](const EdfChannel& c) { return c.digital_min; });
  all(8, [](const EdfChannel& c) { return c.digital_max; });
  all(80, [](const EdfChannel& c) { return std::string(c.label == "EDF Annotations" ? "" : "LP:75Hz"); });
  all(8, [](const EdfChannel& c) { return std::to_string(c.values.size() / records); });
  all(32, [](const EdfChannel&) { return std::string(); });
  for (std::size_t r = 0; r < records; ++r)
    for (const EdfChannel& c : channels)
      for (std::size_t i = 0; i < c.values.size() / records; ++i)
        out += little(static_cast<std::int16_t>(c.values[r * (c.values.size() / records) + i]));
  return out;
}

}  // namespace weft::tests
