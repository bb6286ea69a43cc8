#pragma once
#include <exception>
#include <string>

#include <weft/tensor/error.h>

namespace weft::tests {

/// "ShapeError: size: axis 3 ..." for what the call throws; "nothing" when it does not.
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const ShapeError& e) {
    return std::string("ShapeError: ") + e.what();
  } catch (const DtypeError& e) {
    return std::string("DtypeError: ") + e.what();
  } catch (const GradError& e) {
    return std::string("GradError: ") + e.what();
  } catch (const ConfigError& e) {
    return std::string("ConfigError: ") + e.what();
  } catch (const FileError& e) {
    return std::string("FileError: ") + e.what();
  } catch (const std::exception& e) {
    return std::string("another error: ") + e.what();
  }
  return "nothing";
}

/// What the error that f() throws says, without its kind; "no error" when it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace weft::tests
