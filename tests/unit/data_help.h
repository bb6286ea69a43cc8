#pragma once
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <weft/tensor/create.h>

/// A folder of this test's own that goes away with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Puts a file there and returns its path.
  std::string write(std::string_view name, std::string_view bytes) const {
    const std::string path = *this / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::string path_;
};

/// What `act` throws as an E; empty when it throws no E.
template <class E, class Act>
std::string message(Act&& act) {
  try {
    act();
  } catch (const E& error) {
    return error.what();
  } catch (...) {
  }
  return {};
}

/// A folder named by an environment variable, or empty.
inline std::string folder_from(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

inline bool contains(std::string_view whole, std::string_view part) { return whole.find(part) != whole.npos; }

/// A bool tensor's values.
inline std::vector<bool> truths(const weft::Tensor& x) {
  std::vector<bool> out;
  for (const auto v : weft::to_vector<std::int64_t>(x)) out.push_back(v != 0);
  return out;
}
