#include <weft/study/inspect.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>

#include <weft/data/dicom.h>
#include <weft/data/edf.h>
#include <weft/data/idx.h>
#include <weft/data/image.h>
#include <weft/data/nifti.h>
#include <weft/data/npy.h>
#include <weft/study/columns.h>
#include <weft/study/commands.h>
#include <weft/study/dataset.h>
#include <weft/study/inspect_sheet.h>
#include <weft/tensor/create.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

/// A value as people read it: without quotes, lists as "2 x 3".
std::string shown(const std::string& value) {
  const Json json = Json::parse(value, nullptr, false);
  if (json.is_string()) return json.get<std::string>();
  if (json.is_null()) return "–";
  if (json.is_boolean()) return json.get<bool>() ? "yes" : "no";
  if (!json.is_array()) return value;
  std::string out;
  for (const Json& one : json) out += (out.empty() ? "" : ", ") + shown(one.dump());
  return out;
}

/// The first line of many, as far as a table has room for it.
std::string cell(const std::string& value) {
  std::string out = shown(value);
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  constexpr std::size_t most = 44;
  if (show::display_width(out) <= most) return out;
  std::size_t end = 0, width = 0;
  while (end < out.size() && width < most - 1) {
    ++end;
    while (end < out.size() && (static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80U) ++end;
    ++width;
  }
  return out.substr(0, end) + "…";
}

struct Range {
  double least = std::numeric_limits<double>::quiet_NaN(), largest = least, mean = least;
  std::int64_t missing = 0;
};

Range range_of(const Tensor& x) {
  Range r;
  double sum = 0;
  std::int64_t count = 0;
  for (const double v : to_vector<double>(x)) {
    if (std::isnan(v)) {
      ++r.missing;
      continue;
    }
    if (count == 0) r.least = r.largest = v;
    r.least = std::min(r.least, v);
    r.largest = std::max(r.largest, v);
    sum += v;
    ++count;
  }
  if (count > 0) r.mean = sum / static_cast<double>(count);
  return r;
}

const std::vector<std::string> array_names = {"array", "shape", "type", "least", "largest", "mean", "not a number"};

Row array_row(const std::string& name, const Tensor& x) {
  const Range r = range_of(x);
  return {to_value(name),
          to_value(std::span(x.shape().begin(), x.shape().end())),
          to_value(weft::name(x.dtype())),
          to_value(r.least),
          to_value(r.largest),
          to_value(r.mean),
          to_value(r.missing)};
}

Sheet one_array(const char* kind, const Tensor& x) {
  Sheet sheet;
  add(sheet, "kind", kind);
  add(sheet, "shape", std::span(x.shape().begin(), x.shape().end()));
  const Range r = range_of(x);
  add(sheet, "type", weft::name(x.dtype()));
  add(sheet, "least", r.least);
  add(sheet, "largest", r.largest);
  add(sheet, "mean", r.mean);
  add(sheet, "not a number", r.missing);
  return sheet;
}

Sheet csv(const std::string& path, const std::string& target) {
  const CsvForm form = csv_form(table_bytes("inspect", path));
  const data::Table table = read_table(form.data, path);
  const std::vector<ColumnFacts> columns = columns_of(table, target);
  Sheet sheet;
  add(sheet, "kind", "CSV");
  add(sheet, "rows", table.rows());
  add(sheet, "columns", columns.size());
  add(sheet, "separator", form.data.separator == '\t' ? "tab" : std::string(1, form.data.separator));
  if (form.data.decimal != '.') add(sheet, "decimal", std::string(1, form.data.decimal));
  if (form.data.skip_lines > 0) add(sheet, "lines above the table", form.data.skip_lines);
  if (!form.data.header) add(sheet, "header", false);
  if (!form.marks.empty()) add(sheet, "missing values", form.marks);
  if (!form.class_names.empty()) add(sheet, "classes named above", form.class_names);
  std::int64_t missing = 0;
  for (const ColumnFacts& f : columns) missing += f.missing;
  sheet.facts.push_back({"missing rate", to_value(static_cast<double>(missing) /
                                                  std::max(1.0, static_cast<double>(table.rows()) *
                                                                    static_cast<double>(columns.size())))});
  for (const Role role : {Role::target, Role::identity, Role::group, Role::site, Role::split})
    for (const ColumnFacts& f : columns)
      if (f.role == role)
        add(sheet, text(role == Role::target ? "likely " : "", name_of(role)), text(f.name, " (", f.why, ")"));
  Sheet::TableOf t{"columns", {"column", "type", "missing", "different", "least", "largest", "mean", "role"}, {}};
  for (const ColumnFacts& f : columns) {
    std::string commonest;
    for (const auto& [value, count] : f.commonest)
      if (f.categorical) commonest += text(commonest.empty() ? "" : ", ", value, " ", count);
    const bool numbers = !f.categorical && f.distinct > 0;
    t.rows.push_back({to_value(f.name),
                      to_value(f.categorical ? "text"
                               : f.whole     ? "whole numbers"
                                             : "numbers"),
                      to_value(f.missing_rate()), to_value(f.distinct),
                      numbers         ? to_value(f.least)
                      : f.categorical ? to_value(commonest)
                                      : "null",
                      numbers ? to_value(f.largest) : "null", numbers ? to_value(f.mean) : "null",
                      to_value(f.role == Role::evidence ? "" : name_of(f.role))});
  }
  sheet.tables.push_back(std::move(t));
  return sheet;
}

Sheet edf(const std::string& path) {
  const data::Edf recording = data::read_edf(path);
  Sheet sheet;
  add(sheet, "kind", recording.type);
  add(sheet, "start", recording.start);
  add(sheet, "seconds", recording.duration);
  add(sheet, "signals", recording.signals.size());
  add(sheet, "annotations", recording.annotations.size());
  Sheet::TableOf t{"signals", {"signal", "unit", "samples a second", "samples", "least", "largest", "prefilter"}, {}};
  for (const data::EdfSignal& s : recording.signals) {
    const Range r = range_of(s.values);
    t.rows.push_back({to_value(s.label), to_value(s.unit), to_value(s.sampling_rate), to_value(s.values.numel()),
                      to_value(r.least), to_value(r.largest), to_value(s.prefilter)});
  }
  sheet.tables.push_back(std::move(t));
  return sheet;
}

Sheet dicom(const std::string& path) {
  const data::Dicom image = data::read_dicom(path);
  Sheet sheet = one_array("DICOM", image.pixels);
  add(sheet, "modality", image.modality);
  add(sheet, "photometric", image.photometric);
  if (!image.units.empty()) add(sheet, "units", image.units);
  if (image.spacing) add(sheet, "mm between rows and columns", std::span<const double>(*image.spacing));
  if (image.slice_thickness) add(sheet, "mm of a slice", *image.slice_thickness);
  add(sheet, "transfer syntax", image.transfer_syntax);
  return sheet;
}

Sheet nifti(const std::string& path) {
  const data::Nifti volume = data::read_nifti(path);
  Sheet sheet = one_array("NIfTI", volume.voxels);
  add(sheet, "spacing", std::span<const double>(volume.spacing));
  add(sheet, "space", volume.space);
  return sheet;
}

Sheet npz(const std::string& path) {
  Sheet sheet;
  add(sheet, "kind", "NPZ");
  Sheet::TableOf t{"arrays", array_names, {}};
  for (const auto& [name, x] : data::load_npz(path)) t.rows.push_back(array_row(name, x));
  add(sheet, "arrays", t.rows.size());
  sheet.tables.push_back(std::move(t));
  return sheet;
}

Sheet folder(const std::string& path) {
  std::error_code ignored;
  if (fs::exists(fs::path(path) / "model.json", ignored)) return inspect_model(path);
  std::vector<std::string> names;
  std::size_t others = 0;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".npy")
      names.push_back(entry.path().filename().string());
    else
      ++others;
  }
  std::ranges::sort(names);
  if (names.empty())
    throw FileError(text("inspect: ", path,
                         " holds neither a model nor NPY files\n  help: give a file, or a folder that "
                         "weft train wrote"));
  Sheet sheet;
  add(sheet, "kind", "folder of arrays");
  add(sheet, "arrays", names.size());
  add(sheet, "other files", others);
  Sheet::TableOf t{"arrays", array_names, {}};
  for (const std::string& name : names)
    t.rows.push_back(array_row(name, data::load_npy((fs::path(path) / name).string())));
  sheet.tables.push_back(std::move(t));
  return sheet;
}

std::string first_bytes(const std::string& path, std::size_t count) {
  std::ifstream in(path, std::ios::binary);
  std::string out(count, '\0');
  in.read(out.data(), static_cast<std::streamsize>(count));
  out.resize(static_cast<std::size_t>(in.gcount()));
  return out;
}

bool ends(const std::string& path, std::initializer_list<const char*> endings) {
  std::string low = path;
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (low.ends_with(".gz")) low.resize(low.size() - 3);
  return std::ranges::any_of(endings, [&](const char* end) { return low.ends_with(end); });
}

Sheet file(const InspectOptions& options) {
  const std::string& path = options.path;
  const std::string start = first_bytes(path, 400);
  using namespace std::string_view_literals;
  const std::string_view seen = start;
  if (seen.starts_with("\x93NUMPY")) return one_array("NPY", data::load_npy(path));
  if (seen.starts_with("PK\x03\x04") && ends(path, {".npz"})) return npz(path);
  if (seen.starts_with("\x89PNG"sv) || seen.starts_with("\xff\xd8\xff"sv))
    return one_array(seen.starts_with("\x89") ? "PNG" : "JPEG", data::read_image(path));
  if (seen.substr(0, 132).ends_with("DICM")) return dicom(path);
  if (ends(path, {".nii"})) return nifti(path);
  if (ends(path, {".edf", ".bdf"})) return edf(path);
  if (ends(path, {".safetensors"})) return inspect_tensors(path);
  if (ends(path, {".toml"})) return inspect_study(path);
  // Two zero bytes, a type from 8 to 14, the number of axes.
  if (ends(path, {"-ubyte", ".idx"}) ||
      (seen.size() > 4 && seen.starts_with("\0\0"sv) && seen[2] >= 8 && seen[2] <= 14))
    return one_array("IDX", data::load_idx(path));
  if (ends(path, {".csv", ".tsv", ".txt", ".data"}) || seen.find('\0') == seen.npos) return csv(path, options.target);
  throw FileError(text("inspect: ", path,
                       " is of no kind that weft reads\n  help: give a study, a model's folder, CSV, NPY, "
                       "NPZ, IDX, NIfTI, DICOM, EDF, safetensors, PNG or JPEG"));
}

std::string size_text(std::uintmax_t bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit < 3; ++unit) size /= 1024;
  return unit == 0 ? text(bytes, " bytes") : text(show::fixed(size, 1), ' ', units[unit]);
}

}  // namespace

std::string to_value(const std::string& value) {
  return Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_value(const char* value) { return to_value(std::string(value)); }

std::string to_value(double value) {
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

std::string to_value(const std::vector<std::string>& values) {
  return Json(values).dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {
template <class T>
std::string list_of(std::span<const T> values) {
  std::string out;
  for (const T value : values) out += (out.empty() ? "" : ", ") + to_value(value);
  return '[' + out + ']';
}
}  // namespace

std::string to_value(std::span<const std::int64_t> values) { return list_of(values); }
std::string to_value(std::span<const double> values) { return list_of(values); }

std::string Sheet::json() const {
  Json out = Json::object();
  for (const Fact& f : facts) out[f.key] = Json::parse(f.value, nullptr, false);
  for (const TableOf& t : tables) {
    Json rows = Json::array();
    for (const Row& row : t.rows) {
      Json one;
      for (std::size_t i = 0; i < row.size(); ++i) one[t.names[i]] = Json::parse(row[i], nullptr, false);
      rows.push_back(std::move(one));
    }
    // A table called as a fact that counts its rows stands in its place.
    out[t.key] = std::move(rows);
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string Sheet::str(const show::Style& style) const {
  std::string out;
  std::size_t width = 0;
  for (const Fact& f : facts) width = std::max(width, show::display_width(f.key));
  for (const Fact& f : facts) {
    std::string fill = "  ";
    for (std::size_t i = show::display_width(f.key); i < width; ++i) fill += ' ';
    out += style.dim(f.key) + fill + shown(f.value) + '\n';
  }
  for (const TableOf& t : tables) {
    if (t.rows.empty()) continue;
    show::TextTable table(t.names);
    // Tables of thousands of columns are for --json.
    constexpr std::size_t most = 200;
    for (std::size_t i = 0; i < std::min(most, t.rows.size()); ++i) {
      std::vector<std::string> cells;
      for (const std::string& value : t.rows[i]) cells.push_back(cell(value));
      table.row(std::move(cells));
    }
    out += '\n' + table.str(style);
    if (t.rows.size() > most) out += text("and ", t.rows.size() - most, " more, see --json\n");
  }
  return out;
}

Sheet inspect(const InspectOptions& options) {
  std::error_code error;
  if (!fs::exists(options.path, error)) throw FileError(text("inspect: there is no ", options.path));
  if (fs::is_directory(options.path, error)) return folder(options.path);
  Sheet sheet = file(options);
  add(sheet, "size", size_text(fs::file_size(options.path, error)));
  return sheet;
}

void run_inspect(const InspectOptions& options) {
  const Sheet sheet = inspect(options);
  print(options.json ? sheet.json() : sheet.str(show::Style::of(stdout)));
}

}  // namespace weft::study
