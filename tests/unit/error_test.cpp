#include <doctest/doctest.h>

#include <string>

#include <weft/tensor/error.h>

TEST_CASE("text joins the printed forms of its arguments") {
  CHECK(weft::text("matmul: ", 3, " and ", 4.5, '!') == "matmul: 3 and 4.5!");
}

TEST_CASE_TEMPLATE("every error is a weft::Error with its message", Kind, weft::ShapeError, weft::DtypeError,
                   weft::GradError, weft::FileError, weft::ConfigError) {
  try {
    throw Kind("sum: axis 3 is out of range");
  } catch (const weft::Error& error) {
    CHECK(std::string(error.what()) == "sum: axis 3 is out of range");
    return;
  }
  FAIL("not caught as weft::Error");
}
