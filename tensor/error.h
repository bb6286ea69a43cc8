#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

/// Errors. Every message begins with the operation in lower case, gives both offending values, and
/// may end with one line "  help: ..." in the imperative. The library never prints and never aborts.
namespace weft {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Sizes, ranks or axes that do not fit together.
struct ShapeError : Error {
  using Error::Error;
};
/// An element type that an operation does not take.
struct DtypeError : Error {
  using Error::Error;
};
/// Misuse of automatic differentiation: a freed graph, an input changed in place, no gradient.
struct GradError : Error {
  using Error::Error;
};
/// A file that is missing, damaged, or cannot be written.
struct FileError : Error {
  using Error::Error;
};
/// An option, a name or a value that makes no sense; also values out of range.
struct ConfigError : Error {
  using Error::Error;
};

/// Concatenates the printed forms of its arguments: text("got ", 3, " rows").
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace weft
