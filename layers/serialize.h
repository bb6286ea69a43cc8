#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <weft/layers/module.h>

/// Tensors on disk as safetensors files: 8 bytes length, a JSON header, the numbers; readable by every framework.
namespace weft {

/// Named tensors and free text, as a safetensors file holds them.
struct TensorFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  ///< in the order of the file
  std::map<std::string, std::string> metadata;
  /// The tensor of that name. Throws FileError naming the closest name there is.
  const Tensor& at(const std::string& name) const;
};

/// Reads a file. Its element types are kept, float16 becomes float32, int16 and uint16 become int32, uint32 int64.
/// Throws FileError when it is missing, truncated, or says anything about itself that is not so.
TensorFile load_tensors(const std::string& path);
/// Writes a file: first beside it, then in its place, so that a crash leaves the old one. Throws FileError.
void save_tensors(const std::string& path, const TensorFile& file);

/// What did not fit when a model was filled from a file.
struct LoadReport {
  std::vector<std::string> missing;     ///< the model has it, the file does not
  std::vector<std::string> unexpected;  ///< the file has it, the model does not
  std::vector<std::string> misshapen;   ///< "name: file [3, 4], model [4, 4]"
  bool complete() const noexcept { return missing.empty() && unexpected.empty() && misshapen.empty(); }
  /// One line per name, each missing one with the closest unexpected name.
  std::string text() const;
};

namespace detail {
void save(const Walk& walk, const std::string& path, const std::map<std::string, std::string>& metadata);
LoadReport load(const Walk& walk, const std::string& path, bool strict);
}  // namespace detail

/// Writes parameters and buffers by their names. Throws FileError.
template <class M>
void save(M& model, const std::string& path, const std::map<std::string, std::string>& metadata = {}) {
  detail::save(detail::walk_of(model), path, metadata);
}

/// Fills parameters and buffers in place from a file, by name, converting element types. Unless `strict` is
/// false, throws FileError with the whole report when anything is missing, unexpected or of another
/// shape, and then leaves the model as it was.
template <class M>
LoadReport load(M& model, const std::string& path, bool strict = true) {
  return detail::load(detail::walk_of(model), path, strict);
}

}  // namespace weft
