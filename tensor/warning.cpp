#include <weft/tensor/warning.h>

#include <cstdio>
#include <mutex>
#include <utility>

namespace weft {
namespace {

std::mutex& guard() {
  static std::mutex mutex;
  return mutex;
}
std::function<void(const std::string&)>& handler() {
  static std::function<void(const std::string&)> function;
  return function;
}

}  // namespace

void warn(const std::string& line) {
  const std::lock_guard lock(guard());
  if (handler())
    handler()(line);
  else
    std::fprintf(stderr, "weft: %s\n", line.c_str());
}

void set_warning_handler(std::function<void(const std::string&)> function) {
  const std::lock_guard lock(guard());
  handler() = std::move(function);
}

}  // namespace weft
