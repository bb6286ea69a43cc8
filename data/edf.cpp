#include <weft/data/edf.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>

#ifdef WEFT_WITH_EDF
#include <edflib.h>
#endif

#include <weft/data/npy_bytes.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::data {

const EdfSignal& Edf::at(std::string_view label) const {
  const auto found = std::find_if(signals.begin(), signals.end(), [&](const EdfSignal& s) { return s.label == label; });
  if (found != signals.end()) return *found;
  std::vector<std::string> have;
  for (const EdfSignal& s : signals) have.push_back(s.label);
  throw ConfigError(text("Edf: there is no channel \"", label, "\"", closest(label, have)));
}

Tensor Edf::stacked(const std::vector<std::string>& labels) const {
  std::vector<const EdfSignal*> chosen;
  for (const std::string& label : labels) chosen.push_back(&at(label));
  if (labels.empty())
    for (const EdfSignal& s : signals) chosen.push_back(&s);
  if (chosen.empty()) throw ConfigError("Edf: there is no channel to stack");
  const EdfSignal& first = *chosen.front();
  const std::int64_t length = first.values.numel();
  Tensor out = empty({static_cast<std::int64_t>(chosen.size()), length});
  float* to = out.mutable_data<float>();
  for (const EdfSignal* s : chosen) {
    if (s->values.numel() != length || s->sampling_rate != first.sampling_rate)
      throw ConfigError(text("Edf: \"", first.label, "\" has ", first.sampling_rate, " samples a second, \"", s->label,
                             "\" ", s->sampling_rate, "\n  help: choose channels of one rate, or resample them"));
    to = std::copy_n(s->values.data<float>(), length, to);
  }
  return out;
}

bool have_edf() noexcept {
#ifdef WEFT_WITH_EDF
  return true;
#else
  return false;
#endif
}

#ifndef WEFT_WITH_EDF
Edf read_edf(const std::string&) {
  throw ConfigError(
      "read_edf: this weft was built without EDFlib, which reads EDF\n"
      "  help: install libedf-dev and build again with -Dedf=enabled");
}
#else
namespace {

std::string trimmed(std::string_view s) {
  const auto end = s.find('\0');
  if (end != s.npos) s = s.substr(0, end);
  const auto first = s.find_first_not_of(' ');
  return first == s.npos ? "" : std::string(s.substr(first, s.find_last_not_of(' ') - first + 1));
}

/// The header checked against itself and the file's length, because EDFlib says no more than "format errors".
class Check {
 public:
  Check(const std::string& path, detail::ByteSource& file) : path_(path), file_(file) {}

  void run() {
    if (file_.size() == 0) wrong(" is empty");
    const std::string main = bytes(0, 256);
    const bool bdf = main.starts_with(
        "\xff"
        "BIOSEMI");
    if (!bdf && !main.starts_with("0       ")) wrong(" is neither EDF nor BDF: it does not begin as one");
    const std::int64_t count = whole(main.substr(252, 4), "number of signals");
    if (count < 1 || count > EDFLIB_MAXSIGNALS)
      wrong(text(" has ", count, " signals, EDFlib takes 1 to ", EDFLIB_MAXSIGNALS));
    if (const std::int64_t n = whole(main.substr(184, 8), "length of its header"); n != 256 * (count + 1))
      wrong(text(" has a wrong header: ", count, " signals make ", 256 * (count + 1), " bytes, it claims ", n));
    const std::string_view kind = std::string_view(main).substr(192, 5);
    if (kind == "EDF+D" || kind == "BDF+D")
      wrong(text(" is a recording with gaps (", kind, "), which EDFlib does not read\n",
                 "  help: cut it into recordings without gaps, e.g. with EDFbrowser"));
    const std::int64_t records = whole(main.substr(236, 8), "number of data records");
    if (records == -1) wrong(" was not finished: its number of data records is -1");
    if (records < 1) wrong(text(" has a wrong header: it claims ", records, " data records"));
    const double duration = real(main.substr(244, 8), "duration of a data record");
    if (!(duration >= 0)) wrong(text(" has a wrong header: a data record lasts ", duration, " s"));
    signals(bytes(256, static_cast<std::size_t>(256 * count)), static_cast<std::size_t>(count), bdf, duration, records);
  }

  [[noreturn]] void wrong(const std::string& what) const { throw FileError("read_edf: " + path_ + what); }

 private:
  std::string bytes(std::uint64_t at, std::size_t count) {
    if (file_.size() < at + count) wrong(text(" is cut short: it ends within its header of ", at + count, " bytes"));
    std::string out(count, '\0');
    file_.read(at, out.data(), count);
    return out;
  }
  template <class T>
  std::optional<T> number(const std::string& field) const {
    std::string s = trimmed(field);
    if (s.starts_with('+')) s.erase(0, 1);
    T v = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
    if (error != std::errc() || end != s.data() + s.size()) return {};
    return v;
  }
  std::int64_t whole(const std::string& field, const std::string& what) const {
    if (const auto v = number<std::int64_t>(field)) return *v;
    wrong(text(" has a wrong header: the ", what, " is no whole number"));
  }
  double real(const std::string& field, const std::string& what) const {
    if (const auto v = number<double>(field); v && std::isfinite(*v)) return *v;
    wrong(text(" has a wrong header: the ", what, " is no number"));
  }

  void signals(const std::string& header, std::size_t count, bool bdf, double duration, std::int64_t records) {
    const auto field = [&](std::size_t before, std::size_t width, std::size_t i) {
      return header.substr(before * count + width * i, width);
    };
    const std::int64_t lowest = bdf ? -8388608 : -32768, sample = bdf ? 3 : 2;
    std::int64_t record = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string label = trimmed(field(0, 16, i)), where = text(" of signal ", i + 1);
      const bool notes = label == (bdf ? "BDF Annotations" : "EDF Annotations");
      const double low = real(field(104, 8, i), "physical minimum" + where),
                   high = real(field(112, 8, i), "physical maximum" + where);
      const std::int64_t least = whole(field(120, 8, i), "digital minimum" + where),
                         most = whole(field(128, 8, i), "digital maximum" + where),
                         samples = whole(field(216, 8, i), "number of samples" + where);
      if (low == high) wrong(text(" has a wrong header: physical minimum and maximum", where, " are both ", low));
      if (least >= most || least < lowest || most >= -lowest)
        wrong(text(" has a wrong header: the digital range", where, " is ", least, " to ", most));
      if (samples < 1 || samples > (std::int64_t{15} << 20))
        wrong(text(" has a wrong header: signal ", i + 1, " has ", samples, " samples in a data record"));
      if (!notes && duration == 0) wrong(" has a wrong header: a data record lasts 0 s");
      record += samples * sample;
    }
    const std::int64_t most = std::int64_t{bdf ? 15 : 10} << 20;
    if (record > most) wrong(text(" has data records of ", record, " bytes, EDFlib takes up to ", most));
    const std::uint64_t begin = 256 * (count + 1), has = file_.size() - begin;
    if (static_cast<std::uint64_t>(records) > (std::uint64_t{1} << 62) / static_cast<std::uint64_t>(record))
      wrong(" has a wrong header: it claims an absurd size");
    const std::uint64_t needs = static_cast<std::uint64_t>(records * record);
    if (has != needs)
      wrong(text(has < needs ? " is cut short: " : " has a wrong header: ", records, " data records make ", needs,
                 " bytes, it has ", has));
  }

  const std::string& path_;
  detail::ByteSource& file_;
};

constexpr double ticks = EDFLIB_TIME_DIMENSION;  // of EDFlib, in a second

struct EdfCloser {
  int handle;
  ~EdfCloser() { edfclose_file(handle); }
};

std::string start_of(const edf_hdr_struct& h) {
  char out[64];
  std::snprintf(out, sizeof out, "%04d-%02d-%02dT%02d:%02d:%02d", h.startdate_year, h.startdate_month, h.startdate_day,
                h.starttime_hour, h.starttime_minute, h.starttime_second);
  std::string s = out;
  if (h.starttime_subsecond > 0) {
    std::snprintf(out, sizeof out, ".%07lld", h.starttime_subsecond);
    s += out;
    s.erase(s.find_last_not_of('0') + 1);
  }
  return s;
}

}  // namespace

Edf read_edf(const std::string& path) {
  detail::FileSource file("read_edf", path);
  Check check(path, file);
  check.run();

  // EDFlib keeps the open files in a table of the whole program.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const auto header = std::make_unique<edf_hdr_struct>();
  if (edfopen_file_readonly(path.c_str(), header.get(), EDFLIB_READ_ALL_ANNOTATIONS) != 0) {
    switch (header->filetype) {
      case EDFLIB_MAXFILES_REACHED: check.wrong(": too many files are open in EDFlib\n  help: close some");
      case EDFLIB_FILE_ALREADY_OPENED: check.wrong(" is open in EDFlib already\n  help: close it");
      case EDFLIB_FILE_IS_DISCONTINUOUS: check.wrong(" is a recording with gaps, which EDFlib does not read");
      default: check.wrong(text(" has a header or annotations that EDFlib refuses (", header->filetype, ")"));
    }
  }
  const EdfCloser closer{header->handle};
  Edf out;
  constexpr const char* types[] = {"EDF", "EDF+", "BDF", "BDF+"};
  out.type = types[header->filetype];
  out.start = start_of(*header);
  out.duration = static_cast<double>(header->file_duration) / ticks;
  std::vector<double> block(std::size_t{1} << 16);
  for (int i = 0; i < header->edfsignals; ++i) {
    const edf_param_struct& p = header->signalparam[i];
    EdfSignal s;
    s.label = trimmed(p.label);
    s.unit = trimmed(p.physdimension);
    s.prefilter = trimmed(p.prefilter);
    s.sampling_rate = p.smp_in_datarecord * ticks / static_cast<double>(header->datarecord_duration);
    s.values = empty({p.smp_in_file});
    float* to = s.values.mutable_data<float>();
    for (std::int64_t done = 0; done < p.smp_in_file;) {
      const auto wanted = std::min<std::int64_t>(p.smp_in_file - done, std::ssize(block));
      const int n = edfread_physical_samples(header->handle, i, static_cast<int>(wanted), block.data());
      if (n <= 0) check.wrong(text(": signal ", i + 1, " cannot be read after ", done, " samples"));
      to = std::transform(block.begin(), block.begin() + n, to, [](double v) { return static_cast<float>(v); });
      done += n;
    }
    out.signals.push_back(std::move(s));
  }
  for (int i = 0; i < header->annotations_in_file; ++i) {
    edf_annotation_struct a;
    if (edf_get_annotation(header->handle, i, &a) != 0) check.wrong(text(": annotation ", i + 1, " cannot be read"));
    out.annotations.push_back({static_cast<double>(a.onset) / ticks,
                               a.duration_l < 0 ? -1 : static_cast<double>(a.duration_l) / ticks, a.annotation});
  }
  return out;
}
#endif

}  // namespace weft::data
