#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <weft/data/dicom.h>
#include <weft/data/edf.h>
#include <weft/data/idx.h>
#include <weft/data/image.h>
#include <weft/data/nifti.h>
#include <weft/tensor/random.h>

#include <weft/tests/unit/reader_files.h>

/// fuzz_readers [--runs N] [--seed N] [--only image|dicom|nifti|edf|idx] [--seconds N] [--seeds FOLDER]: gives the
/// readers valid files with a few bytes changed; each must answer with tensors or with a weft::Error. The same seed
/// tries the same files. --seeds writes the valid files there, as libFuzzer's first corpus. With clang and
/// -Dfuzz=enabled: WEFT_READER=image fuzz_readers_guided -max_total_time=600 -rss_limit_mb=2048 FOLDER.
namespace weft::tests {
namespace {

const std::vector<std::string> readers = {"image", "dicom", "nifti", "edf", "idx"};

/// CRC-32 bit by bit: the reader's own is not to judge itself.
std::uint32_t crc(std::string_view bytes) {
  std::uint32_t c = 0xffffffffU;
  for (const char b : bytes) {
    c ^= static_cast<unsigned char>(b);
    for (int k = 0; k < 8; ++k) c = c & 1U ? 0xedb88320U ^ (c >> 1) : c >> 1;
  }
  return ~c;
}
std::string big(std::uint32_t v) {
  std::string s = little(v);
  return {s.rbegin(), s.rend()};
}
/// Makes a PNG's checksums right again, so that what is wrong is found by something else.
void mend_png(std::string& s) {
  for (std::size_t at = 8; s.starts_with("\x89PNG") && at + 12 <= s.size();) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < 4; ++i) n = n << 8 | static_cast<unsigned char>(s[at + i]);
    if (n > s.size() - at - 12) return;
    s.replace(at + 8 + n, 4, big(crc(std::string_view(s).substr(at + 4, n + 4))));
    at += n + 12;
  }
}

std::string png(int width, int height, int bits, int colours, int interlaced) {
  const auto chunk = [](const std::string& kind, const std::string& body) {
    return big(static_cast<std::uint32_t>(body.size())) + kind + body + big(crc(kind + body));
  };
  const int channels = colours == 2 ? 3 : colours == 4 ? 2 : colours == 6 ? 4 : 1;
  const int line = (width * bits * channels + 7) / 8;
  std::string raw;
  for (int y = 0; y < height; ++y) {
    raw += static_cast<char>(y % 5);  // every filter
    for (int x = 0; x < line; ++x) raw += static_cast<char>(x * 7 + y);
  }
  if (interlaced) raw = std::string(2 * raw.size(), '\0');  // its lines lie otherwise
  std::uint32_t a = 1, b = 0;
  for (const char c : raw) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto n = static_cast<std::uint16_t>(raw.size());
  const std::string packed =
      "\x78\x01\x01" + little(n) + little(static_cast<std::uint16_t>(~n)) + raw + big(b << 16 | a);
  std::string out = "\x89PNG\r\n\x1a\n" +
                    chunk("IHDR", big(static_cast<std::uint32_t>(width)) + big(static_cast<std::uint32_t>(height)) +
                                      static_cast<char>(bits) + static_cast<char>(colours) + std::string(2, '\0') +
                                      static_cast<char>(interlaced));
  if (colours == 3) out += chunk("PLTE", std::string("\1\2\3\4\5\6\7\x8\x9\xa\xb\xc", 12)) + chunk("tRNS", "\x7f");
  return out + chunk("IDAT", packed) + chunk("IEND", "");
}

std::vector<std::string> seeds_of(const std::string& reader) {
  if (reader == "image")
    return {with_exif(two_blocks_jpeg(), orientation_tiff(6, true)),
            grey_jpeg(),
            colour_jpeg(),
            png(5, 4, 8, 0, 0),
            png(5, 4, 8, 2, 0),
            png(9, 7, 8, 6, 1),
            png(9, 2, 1, 0, 0),
            png(6, 3, 2, 3, 0),
            png(4, 3, 16, 4, 0),
            png(3, 3, 16, 2, 1)};
  if (reader == "dicom") {
    DicomElements frames = ct_slice("0", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    frames[{0x28, 0x8}] = {"IS", "2"};
    DicomElements packed = ct_slice();  // RLE: one frame of two segments (high and low bytes), each a run of 6
    packed.erase({0x7fe0, 0x10});
    const std::string rle = little(std::uint32_t{2}) + little(std::uint32_t{64}) + little(std::uint32_t{66}) +
                            std::string(52, '\0') + std::string("\xfb\1\xfb\2", 4);
    const auto item = [](const std::string& body) {
      return std::string("\xfe\xff\x00\xe0", 4) + little(static_cast<std::uint32_t>(body.size())) + body;
    };
    const std::string pixels = std::string("\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff", 12) + item("") + item(rle) +
                               std::string("\xfe\xff\xdd\xe0\0\0\0\0", 8);
    DicomElements jpeg = packed;
    for (const int e : {0x100, 0x101}) jpeg[{0x28, e}] = {"US", words({8})};
    jpeg[{0x28, 0x102}] = {"US", words({7})};
    jpeg[{0x28, 0x10}] = jpeg[{0x28, 0x11}] = {"US", words({8})};
    const std::string picture = std::string("\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff", 12) + item("") +
                                item(grey_jpeg() + std::string(grey_jpeg().size() % 2, '\0')) +
                                std::string("\xfe\xff\xdd\xe0\0\0\0\0", 8);
    DicomElements groups = ct_slice();
    groups[{0x5200, 0x9229}] = {
        "SQ", item(dicom_element({0x28, 0x9145}, "SQ", item(dicom_element({0x28, 0x1053}, "DS", "3"))))};
    return {dicom_file(ct_slice()), dicom_file(frames), dicom_file(packed, "1.2.840.10008.1.2.5") + pixels,
            dicom_file(jpeg, "1.2.840.10008.1.2.4.50") + picture, dicom_file(groups)};
  }
  if (reader == "nifti") {
    std::string plain = nifti_header({2, 3, 2}), turned = nifti_header({3, 1, 2, 2}, true);
    put_sform(plain, {0, -2, 0, 9, 1, 0, 0, -8, 0, 0, 3, 7});
    put(turned, 252, std::int16_t{1}, true);
    put(turned, 256, 0.5F, true);
    return {plain + std::string(24, '\1'), turned + std::string(24, '\2')};
  }
  if (reader == "edf") {
    const std::string notes(
        "+0\x14\x14\0+0.25\x15"
        "1\x14note\x14\0\0\0\0\0\0",
        24),
        later("+0.5\x14\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    EdfChannel annotations{.label = "EDF Annotations", .unit = "", .digital_min = "-32768", .digital_max = "32767"};
    for (const std::string& s : {notes, later})
      for (std::size_t i = 0; i < s.size(); i += 2)
        annotations.values.push_back(static_cast<unsigned char>(s[i]) | static_cast<unsigned char>(s[i + 1]) << 8);
    return {edf_file({{.values = {1, 2, 3, 4}}, {.label = "Resp", .values = {-5, 6}}}),
            edf_file({{.values = {1, 2, 3, 4}}, annotations}, {.reserved = "EDF+C"})};
  }
  return {std::string("\0\0\x08\x02\0\0\0\2\0\0\0\3abcdef", 18), std::string("\0\0\x0d\x01\0\0\0\2abcdefgh", 16)};
}

int index_of(const std::string& reader) {
  for (std::size_t i = 0; i < readers.size(); ++i)
    if (readers[i] == reader) return static_cast<int>(i);
  return -1;
}

/// Some bytes of a valid file changed.
std::string changed(Generator& g, std::string s) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(g.below(static_cast<std::int64_t>(n))); };
  constexpr unsigned char telling[] = {0, 1, 0x7f, 0x80, 0xff, ' ', '-', '9'};
  for (std::size_t changes = 1 + below(4); changes > 0 && !s.empty(); --changes) {
    const std::size_t at = below(s.size()), n = 1 + below(std::min<std::size_t>(s.size() - at, 16));
    switch (below(8)) {
      case 0:
      case 1: s[at] = static_cast<char>(below(256)); break;
      case 2: s[at] = static_cast<char>(telling[below(8)]); break;
      case 3: s[at] = static_cast<char>(s[at] ^ 1 << below(8)); break;
      case 4: s.replace(at, n, std::string(n, static_cast<char>(telling[below(8)]))); break;
      case 5: s.insert(at, s.substr(below(s.size()), n)); break;
      case 6: s.erase(at, n); break;
      default:
        if (below(4) == 0) s.resize(at);
    }
  }
  if (below(4) != 0) mend_png(s);
  return s;
}

struct Counts {
  std::int64_t read = 0, refused = 0;
} counts;
std::string current_reader, last_answer;

/// Whether a reader takes the bytes or refuses them with a weft::Error; what is wrong otherwise.
std::string try_file(const std::string& reader, std::string_view bytes) {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("weft-fuzz-" + std::to_string(::getpid()))).string();
  current_reader = reader;
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::string wrong;
  try {
    if (reader == "image") {
      data::read_image(path, {.max_pixels = 1 << 18});
      data::read_image(path, {.channels = 4, .keep_16_bits = true, .max_pixels = 1 << 18});
    } else if (reader == "dicom") {
      data::displayed(data::read_dicom(path, {.max_pixels = 1 << 18}));
    } else if (reader == "nifti") {
      data::read_nifti(path, {.native = true});
      data::read_nifti(path, {.to_ras = true});
    } else if (reader == "edf") {
      data::read_edf(path);
    } else {
      data::load_idx(path);
    }
    ++counts.read;
  } catch (const Error& e) {
    ++counts.refused;
    last_answer = e.what();
    if (!std::string_view(e.what()).starts_with(reader == "idx" ? "load_idx: " : "read_" + reader + ": "))
      wrong = reader + " answers: " + e.what();
  } catch (const std::exception& e) {
    wrong = reader + " throws what is no weft::Error: " + e.what();
  }
  std::remove(path.c_str());
  return wrong;
}

}  // namespace
}  // namespace weft::tests

#ifdef WEFT_GUIDED
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  std::string s(reinterpret_cast<const char*>(data), size);
  if (seed % 4 != 0) weft::tests::mend_png(s);
  std::memcpy(data, s.data(), size);
  return size;
}
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static const char* reader = std::getenv("WEFT_READER");
  if (!reader || weft::tests::index_of(reader) < 0) {
    std::fputs("WEFT_READER must be image, dicom, nifti, edf or idx\n", stderr);
    std::abort();
  }
  const std::string wrong = weft::tests::try_file(reader, {reinterpret_cast<const char*>(bytes), count});
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
#else
namespace weft::tests {
namespace {

std::string last_file;
/// Keeps the file that ended the program, and says which reader it was.
void report_crash(int signal) {
  std::ofstream("fuzz_readers_crash", std::ios::binary) << last_file;
  std::cout << "signal " << signal << " in the reader of " << current_reader << ": see fuzz_readers_crash" << std::endl;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

int start(int argc, char** argv) {
  std::int64_t runs = 3000, seconds = 0;
  std::uint64_t seed = 1;
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--runs"))
      runs = std::atoll(argv[i + 1]);
    else if (!std::strcmp(argv[i], "--seed"))
      seed = static_cast<std::uint64_t>(std::atoll(argv[i + 1]));
    else if (!std::strcmp(argv[i], "--seconds"))
      seconds = std::atoll(argv[i + 1]);
    else if (!std::strcmp(argv[i], "--only"))
      only = argv[i + 1];
    else if (!std::strcmp(argv[i], "--seeds")) {
      for (const std::string& reader : readers)
        for (std::size_t k = 0; const std::string& s : seeds_of(reader)) {
          const auto folder = std::filesystem::path(argv[i + 1]) / reader;
          std::filesystem::create_directories(folder);
          std::ofstream(folder / std::to_string(k++), std::ios::binary) << s;
        }
      return 0;
    }
  }
  if (argc % 2 == 0 || (!only.empty() && index_of(only) < 0)) {
    std::cout << "usage: fuzz_readers [--runs N] [--seed N] [--only READER] [--seconds N] [--seeds FOLDER]\n";
    return 2;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they reserve terabytes of addresses
  const rlimit most{rlim_t{4} << 30, rlim_t{4} << 30};
  setrlimit(RLIMIT_AS, &most);
#endif
  for (const int signal : {SIGSEGV, SIGFPE, SIGABRT, SIGALRM}) std::signal(signal, report_crash);
  int failed = 0;
  for (const std::string& reader : readers) {
    if (!only.empty() && reader != only) continue;
    const bool built = reader == "image"   ? data::have_images()
                       : reader == "dicom" ? data::have_dicom()
                       : reader == "nifti" ? data::have_nifti()
                       : reader == "edf"   ? data::have_edf()
                                           : true;
    if (!built) {
      std::cout << reader << ": not built\n";
      continue;
    }
    counts = {};
    const std::vector<std::string> seeds = seeds_of(reader);
    for (const std::string& s : seeds) {
      try_file(reader, s);
      if (counts.refused == 0) continue;
      std::cout << "a valid file is refused: " << last_answer << '\n';
      return 1;
    }
    Generator g{seed};
    const std::time_t end = std::time(nullptr) + seconds;
    for (std::int64_t i = 0; seconds > 0 ? std::time(nullptr) < end : i < runs; ++i) {
      last_file = changed(g, seeds[static_cast<std::size_t>(g.below(std::ssize(seeds)))]);
      alarm(60);  // a reader that hangs is a finding
      const std::string wrong = try_file(reader, last_file);
      if (wrong.empty()) continue;
      std::cout << "file " << i << ": " << wrong << '\n';
      if (++failed == 20) return 1;
    }
    std::cout << reader << ": " << counts.read << " read, " << counts.refused << " refused with an error\n";
  }
  std::cout << failed << " failed\n";
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace weft::tests

int main(int argc, char** argv) { return weft::tests::start(argc, argv); }
#endif
