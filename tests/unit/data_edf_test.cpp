#include <doctest/doctest.h>

#include <cmath>

#include <weft/data/edf.h>
#include <weft/data/file.h>

#ifdef WEFT_WITH_EDF
#include <edflib.h>
#endif

#include "data_help.h"
#include "reader_files.h"

using namespace weft;
using namespace weft::data;

#ifdef WEFT_WITH_EDF
namespace {

using namespace weft::tests;

const EdfChannel ecg{.values = {0, 50, -100, 100}}, breath{.label = "Resp", .unit = "", .values = {-50, 25}};

/// The message without the folder's name.
std::string complaint(const std::string& content) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.edf", content);
  const std::string m = message<FileError>([&] { read_edf(path); }), lead = "read_edf: " + path;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}
std::string complaint(EdfChannel channel, EdfText text = {}) { return complaint(edf_file({channel, breath}, text)); }

}  // namespace

TEST_CASE("read_edf: channels in their units, each with its rate") {
  const TemporaryFolder folder;
  EdfChannel skew = ecg;  // -100 ... 100 -> 0 ... 10 : v = (d + 100) / 20
  skew.label = "Temp";
  skew.unit = "degC";
  skew.physical_min = "0";
  skew.physical_max = "10";
  const Edf x = read_edf(folder.write("x.edf", edf_file({ecg, breath, skew})));
  CHECK(x.type == "EDF");
  CHECK(x.start == "2024-01-31T23:59:30");
  CHECK(x.duration == 1);
  CHECK(x.annotations.empty());
  REQUIRE(x.signals.size() == 3);
  CHECK(x.signals[0].label == "ECG");
  CHECK(x.signals[0].unit == "mV");
  CHECK(x.signals[0].prefilter == "LP:75Hz");
  CHECK(x.signals[0].sampling_rate == 4);
  CHECK(x.signals[0].values.dtype() == DType::float32);
  CHECK(to_vector<double>(x.signals[0].values) == std::vector<double>{0, 0.5, -1, 1});
  CHECK(x.signals[1].unit.empty());
  CHECK(x.signals[1].sampling_rate == 2);
  CHECK(to_vector<double>(x.signals[1].values) == std::vector<double>{-0.5, 0.25});
  CHECK(to_vector<double>(x.at("Temp").values) == std::vector<double>{5, 7.5, 0, 10});
  CHECK(message<ConfigError>([&] { x.at("Rasp"); }) ==
        "Edf: there is no channel \"Rasp\"; the closest name is \"Resp\"");
  CHECK(to_vector<double>(x.stacked({"Temp", "ECG"})) == std::vector<double>{5, 7.5, 0, 10, 0, 0.5, -1, 1});
  CHECK(message<ConfigError>([&] { x.stacked(); }) ==
        "Edf: \"ECG\" has 4 samples a second, \"Resp\" 2\n  help: choose channels of one rate, or resample them");
  CHECK(message<ConfigError>([&] { Edf().stacked(); }) == "Edf: there is no channel to stack");
}

TEST_CASE("read_edf: EDF+ and BDF+ as EDFlib itself writes them, with annotations, without the patient") {
  const TemporaryFolder folder;
  for (const bool bdf : {false, true}) {
    const std::string path = folder / (bdf ? "x.bdf" : "x.edf");
    const int file = edfopen_file_writeonly(path.c_str(), bdf ? EDFLIB_FILETYPE_BDFPLUS : EDFLIB_FILETYPE_EDFPLUS, 2);
    REQUIRE(file >= 0);
    const int top = bdf ? 8388607 : 32767;
    for (int s = 0; s < 2; ++s) {
      edf_set_samplefrequency(file, s, s == 0 ? 100 : 25);
      edf_set_physical_maximum(file, s, 500);
      edf_set_physical_minimum(file, s, -500);
      edf_set_digital_maximum(file, s, top);
      edf_set_digital_minimum(file, s, -top - 1);
      edf_set_label(file, s, s == 0 ? "EEG Fpz-Cz" : "EMG");
      edf_set_physical_dimension(file, s, "uV");
    }
    edf_set_startdatetime(file, 2021, 3, 4, 5, 6, 7);
    edf_set_patientname(file, "Jane Doe");
    std::vector<std::vector<double>> wave(2);
    for (int second = 0; second < 3; ++second)
      for (int s = 0; s < 2; ++s) {
        std::vector<double> block;
        for (int i = 0; i < (s == 0 ? 100 : 25); ++i) block.push_back(400 * std::sin(0.1 * i + second + s));
        REQUIRE(edfwrite_physical_samples(file, block.data()) == 0);
        wave[static_cast<std::size_t>(s)].insert(wave[static_cast<std::size_t>(s)].end(), block.begin(), block.end());
      }
    edfwrite_annotation_utf8(file, 12500, 5000, "Sleep stage W");  // EDFlib writes in units of 0.1 ms
    edfwrite_annotation_utf8(file, 20000, -1, "lights off");
    REQUIRE(edfclose_file(file) == 0);

    const Edf x = read_edf(path);
    CHECK(x.type == (bdf ? "BDF+" : "EDF+"));
    CHECK(x.start == "2021-03-04T05:06:07");
    CHECK(x.duration == 3);
    REQUIRE(x.signals.size() == 2);
    CHECK(x.at("EMG").sampling_rate == 25);
    CHECK(x.at("EMG").unit == "uV");
    for (std::size_t s = 0; s < 2; ++s) {
      const auto v = to_vector<double>(x.signals[s].values);
      REQUIRE(v.size() == wave[s].size());
      const double step = 1000.0 / (2.0 * top + 1) + 1e-4;  // of the digits, and of float32
      for (std::size_t i = 0; i < v.size(); ++i) CHECK(std::abs(v[i] - wave[s][i]) < step);
    }
    REQUIRE(x.annotations.size() == 2);
    CHECK(x.annotations[0].onset == 1.25);
    CHECK(x.annotations[0].duration == 0.5);
    CHECK(x.annotations[0].text == "Sleep stage W");
    CHECK(x.annotations[1].onset == 2);
    CHECK(x.annotations[1].duration == -1);

    const std::string bytes = read_file("test", path);
    CHECK(complaint(bytes.substr(0, bytes.size() - 1)).starts_with(" is cut short: 3 data records make "));
  }
}

TEST_CASE("read_edf: what is wrong with a file is said") {
  const std::string good = edf_file({ecg, breath});
  CHECK(complaint("") == " is empty");
  CHECK(complaint(good.substr(0, 100)) == " is cut short: it ends within its header of 256 bytes");
  CHECK(complaint(good.substr(0, 700)) == " is cut short: it ends within its header of 768 bytes");
  CHECK(complaint(good.substr(0, good.size() - 3)) == " is cut short: 2 data records make 12 bytes, it has 9");
  CHECK(complaint(good + "xy") == " has a wrong header: 2 data records make 12 bytes, it has 14");
  CHECK(complaint(std::string(300, 'x')) == " is neither EDF nor BDF: it does not begin as one");
  CHECK(complaint(ecg, {.header_bytes = "512"}) == " has a wrong header: 2 signals make 768 bytes, it claims 512");
  CHECK(complaint(ecg, {.signals = "0"}) == " has 0 signals, EDFlib takes 1 to 640");
  CHECK(complaint(ecg, {.signals = "two"}) == " has a wrong header: the number of signals is no whole number");
  CHECK(complaint(ecg, {.records = "-1"}) == " was not finished: its number of data records is -1");
  CHECK(complaint(ecg, {.records = "0"}) == " has a wrong header: it claims 0 data records");
  CHECK(complaint(ecg, {.duration = "-2"}) == " has a wrong header: a data record lasts -2 s");
  CHECK(complaint(ecg, {.duration = "0"}) == " has a wrong header: a data record lasts 0 s");
  CHECK(complaint(ecg, {.duration = "nan"}) == " has a wrong header: the duration of a data record is no number");
  CHECK(complaint(ecg, {.reserved = "EDF+D"}) ==
        " is a recording with gaps (EDF+D), which EDFlib does not read\n"
        "  help: cut it into recordings without gaps, e.g. with EDFbrowser");
  CHECK(complaint({.physical_min = "1", .values = {1, 2}}) ==
        " has a wrong header: physical minimum and maximum of signal 1 are both 1");
  CHECK(complaint({.digital_min = "100", .values = {1, 2}}) ==
        " has a wrong header: the digital range of signal 1 is 100 to 100");
  CHECK(complaint({.digital_max = "40000", .values = {1, 2}}) ==
        " has a wrong header: the digital range of signal 1 is -100 to 40000");
  CHECK(complaint({.physical_max = "much", .values = {1, 2}}) ==
        " has a wrong header: the physical maximum of signal 1 is no number");
  CHECK(complaint(EdfChannel{}) == " has a wrong header: signal 1 has 0 samples in a data record");
  CHECK(complaint(ecg, {.records = "99999999"}) ==
        " is cut short: 99999999 data records make 599999994 bytes, it has 12");
  std::string strange = good;
  strange.replace(168, 8, "99.99.99");
  CHECK(complaint(strange) == " has a header or annotations that EDFlib refuses (-3)");
  const TemporaryFolder folder;
  CHECK(message<FileError>([&] { read_edf(folder / "no.edf"); }) ==
        "read_edf: cannot open " + (folder / "no.edf") + ": No such file or directory");
  CHECK(message<FileError>([&] { read_edf(folder / ""); }) == "read_edf: " + (folder / "") + " is a folder");
  const std::string open = folder.write("open.edf", good);
  const auto header = std::make_unique<edf_hdr_struct>();
  REQUIRE(edfopen_file_readonly(open.c_str(), header.get(), EDFLIB_DO_NOT_READ_ANNOTATIONS) == 0);
  CHECK(message<FileError>([&] { read_edf(open); }) ==
        "read_edf: " + open + " is open in EDFlib already\n  help: close it");
  edfclose_file(header->handle);
}
#else
TEST_CASE("read_edf: a weft without EDFlib says so") {
  CHECK(message<ConfigError>([] { read_edf("x.edf"); }) ==
        "read_edf: this weft was built without EDFlib, which reads EDF\n"
        "  help: install libedf-dev and build again with -Dedf=enabled");
}
#endif
