#include <weft/layers/serialize.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include <nlohmann/json.hpp>

#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/names.h>

namespace weft {
namespace {

using Json = nlohmann::ordered_json;

struct StoredType {
  const char* name;
  std::size_t bytes;
  DType dtype;  ///< what it becomes
};
constexpr StoredType stored_types[] = {
    {"F32", 4, DType::float32}, {"F64", 8, DType::float64}, {"I64", 8, DType::int64},    {"I32", 4, DType::int32},
    {"U8", 1, DType::uint8},    {"I8", 1, DType::int8},     {"BOOL", 1, DType::boolean}, {"BF16", 2, DType::bfloat16},
    {"F16", 2, DType::float32}, {"I16", 2, DType::int32},   {"U16", 2, DType::int32},    {"U32", 4, DType::int64}};
constexpr std::uint64_t longest_header = 100'000'000;

const char* stored_name(DType dtype) {
  for (const StoredType& t : stored_types)
    if (t.dtype == dtype) return t.name;
  return "F32";
}

/// 1 sign, 5 exponent, 10 mantissa bits.
float from_half(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16, exponent = h >> 10 & 0x1fU,
                      mantissa = h & 0x3ffU;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign ? -value : value;
  }
  const std::uint32_t bits = exponent == 31 ? 0x7f800000U | mantissa << 13 : (exponent + 112) << 23 | mantissa << 13;
  return __builtin_bit_cast(float, sign | bits);
}

template <class From, class To, class Convert>
void convert(const std::vector<char>& bytes, Tensor& x, Convert&& each) {
  To* out = x.mutable_data<To>();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
    out[i] = each(value);
  }
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), in_(path, std::ios::binary) {
    if (!in_) throw FileError(text("load: cannot open ", path, ": ", std::strerror(errno)));
    in_.seekg(0, std::ios::end);
    const std::streamoff end = in_.tellg();
    if (end < 0) damaged("its size cannot be told");
    size_ = static_cast<std::uint64_t>(end);
    in_.seekg(0);
  }

  TensorFile read() {
    if (size_ < 8) damaged(text("it has ", size_, " bytes, a safetensors file at least 8"));
    unsigned char length[8];
    in_.read(reinterpret_cast<char*>(length), 8);
    std::uint64_t header_size = 0;
    for (int i = 7; i >= 0; --i) header_size = header_size << 8 | length[i];
    if (header_size > size_ - 8 || header_size > longest_header)
      damaged(text("its header would be ", header_size, " bytes, the file has ", size_));
    std::string header(header_size, '\0');
    in_.read(header.data(), static_cast<std::streamsize>(header_size));
    const Json json = Json::parse(header, nullptr, false);
    if (!json.is_object()) damaged("its header is not JSON");
    begin_ = 8 + header_size;

    TensorFile file;
    for (const auto& [name, entry] : json.items()) {
      if (name == "__metadata__") {
        if (!entry.is_object()) damaged("its metadata is not an object");
        for (const auto& [key, value] : entry.items())
          file.metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
      } else {
        file.tensors.emplace_back(name, read_tensor(name, entry));
      }
    }
    return file;
  }

 private:
  [[noreturn]] void damaged(const std::string& why) const {
    throw FileError(text("load: ", path_, " is damaged: ", why));
  }

  Tensor read_tensor(const std::string& name, const Json& entry) {
    const auto whole = [](const Json& list) {
      for (const Json& n : list)
        if (!n.is_number_unsigned()) return false;
      return true;
    };
    if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
        !entry["shape"].is_array() || !whole(entry["shape"]) || !entry.contains("data_offsets") ||
        !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2 || !whole(entry["data_offsets"]))
      damaged(text("\"", name, "\" lacks dtype, shape or data_offsets"));
    const std::string type = entry["dtype"].get<std::string>();
    const StoredType* stored = nullptr;
    for (const StoredType& t : stored_types)
      if (type == t.name) stored = &t;
    if (!stored) throw FileError(text("load: ", path_, ": \"", name, "\" has type ", type, ", which is not supported"));
    const std::uint64_t from = entry["data_offsets"][0].get<std::uint64_t>(),
                        to = entry["data_offsets"][1].get<std::uint64_t>();
    if (entry["shape"].size() > static_cast<std::size_t>(Shape::max_rank))
      damaged(text("\"", name, "\" has ", entry["shape"].size(), " axes"));
    Shape shape;
    std::uint64_t bytes = stored->bytes;
    for (const Json& n : entry["shape"]) {
      const std::uint64_t size = n.get<std::uint64_t>();
      if (size > (std::uint64_t{1} << 62) || __builtin_mul_overflow(bytes, size, &bytes))
        damaged(text("\"", name, "\" is too large"));
      shape.push_back(static_cast<std::int64_t>(size));
    }
    if (to < from || to - from != bytes || to > size_ - begin_)
      damaged(text("\"", name, "\" ", shape, " ", type, " needs ", bytes, " bytes, the file gives it bytes ", from,
                   " to ", to, " of ", size_ - begin_));
    Tensor x = empty(shape, stored->dtype);
    in_.seekg(static_cast<std::streamoff>(begin_ + from));
    const auto fill = [&](void* to_here) {
      in_.read(static_cast<char*>(to_here), static_cast<std::streamsize>(bytes));
      if (!in_) damaged(text("\"", name, "\" cannot be read"));
    };
    const bool converted = type == "F16" || type == "I16" || type == "U16" || type == "U32" || type == "BOOL";
    if (!converted) {
      if (bytes > 0) fill(x.body().data);
      return x;
    }
    std::vector<char> raw(bytes);
    fill(raw.data());
    if (type == "F16")
      convert<std::uint16_t, float>(raw, x, from_half);
    else if (type == "I16")
      convert<std::int16_t, std::int32_t>(raw, x, [](std::int16_t v) { return std::int32_t{v}; });
    else if (type == "U16")
      convert<std::uint16_t, std::int32_t>(raw, x, [](std::uint16_t v) { return std::int32_t{v}; });
    else if (type == "U32")
      convert<std::uint32_t, std::int64_t>(raw, x, [](std::uint32_t v) { return std::int64_t{v}; });
    else
      convert<std::uint8_t, bool>(raw, x, [](std::uint8_t v) { return v != 0; });  // any other byte would not be a bool
    return x;
  }

  std::string path_;
  std::ifstream in_;
  std::uint64_t size_ = 0, begin_ = 0;
};

std::vector<std::string> names_of(const std::vector<std::pair<std::string, Tensor>>& tensors) {
  std::vector<std::string> names;
  for (const auto& each : tensors) names.push_back(each.first);
  return names;
}

}  // namespace

const Tensor& TensorFile::at(const std::string& name) const {
  for (const auto& each : tensors)
    if (each.first == name) return each.second;
  throw FileError(text("load: there is no \"", name, "\"", closest(name, names_of(tensors))));
}

TensorFile load_tensors(const std::string& path) { return Reader(path).read(); }

void save_tensors(const std::string& path, const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t at = 0;
  for (const auto& [name, x] : file.tensors) {
    if (header.contains(name)) throw FileError(text("save: two tensors are named \"", name, "\""));
    const std::uint64_t bytes = static_cast<std::uint64_t>(x.numel()) * size_of(x.dtype());
    header[name] = {{"dtype", stored_name(x.dtype())},
                    {"shape", std::vector<std::int64_t>(x.shape().begin(), x.shape().end())},
                    {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string head = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  head.append((8 - head.size() % 8) % 8, ' ');  // the numbers begin on a multiple of 8

  const std::string beside = path + ".part";
  const auto failed = [&](int reason) {
    std::remove(beside.c_str());
    throw FileError(text("save: cannot write ", path, ": ", std::strerror(reason)));
  };
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    if (!out) failed(errno);
    for (int i = 0; i < 8; ++i) out.put(static_cast<char>(head.size() >> (8 * i) & 0xff));
    out.write(head.data(), static_cast<std::streamsize>(head.size()));
    for (const auto& [name, x] : file.tensors) {
      const Tensor dense = kernels::contiguous(x);
      out.write(static_cast<const char*>(dense.body().data),
                static_cast<std::streamsize>(static_cast<std::size_t>(dense.numel()) * size_of(dense.dtype())));
    }
    out.close();
    if (!out) failed(errno ? errno : EIO);
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) failed(errno);
}

std::string LoadReport::text() const {
  std::string out;
  const auto line = [&out](const std::string& s) { out += (out.empty() ? "" : "\n") + s; };
  for (const std::string& name : missing)
    line(weft::text("the file has no \"", name, "\"", unexpected.empty() ? "" : closest(name, unexpected)));
  for (const std::string& name : unexpected) line(weft::text("the model has no \"", name, "\""));
  for (const std::string& each : misshapen) line(each);
  return out;
}

namespace detail {

void save(const Walk& walk, const std::string& path, const std::map<std::string, std::string>& metadata) {
  save_tensors(path, {collect(walk, true, true), metadata});
}

LoadReport load(const Walk& walk, const std::string& path, bool strict) {
  const TensorFile file = load_tensors(path);
  const auto wanted = collect(walk, true, true);
  std::map<std::string, const Tensor*> have;
  for (const auto& [name, x] : file.tensors) have[name] = &x;

  LoadReport report;
  std::vector<std::pair<Tensor, const Tensor*>> fits;
  for (const auto& [name, x] : wanted) {
    const auto found = have.find(name);
    if (found == have.end()) {
      report.missing.push_back(name);
      continue;
    }
    if (found->second->shape() == x.shape())
      fits.emplace_back(x, found->second);
    else
      report.misshapen.push_back(
          text("\"", name, "\": the file has shape ", found->second->shape(), ", the model ", x.shape()));
    have.erase(found);
  }
  // Another name of a tied tensor is no surprise: frameworks that save both write both.
  for (const auto& tie : ties(walk)) have.erase(tie.second);
  for (const auto& [name, x] : file.tensors)
    if (have.contains(name)) report.unexpected.push_back(name);
  if (strict && !report.complete()) throw FileError(text("load: ", path, " does not fit the model:\n", report.text()));
  for (const auto& [x, from] : fits) {
    kernels::copy_into(x, *from);
    ++x.body().storage->version;
  }
  return report;
}

}  // namespace detail
}  // namespace weft
