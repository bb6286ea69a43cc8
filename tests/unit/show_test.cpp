#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

#include <weft/show/plot.h>
#include <weft/tensor/error.h>

#include "error_of.h"

using namespace weft;
using namespace weft::show;
using tests::error_of;

TEST_CASE("plot: ticks are round and cover the range") {
  CHECK(ticks(0, 1) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  for (const auto& [low, high] :
       std::vector<std::pair<double, double>>{{3, 17}, {-2.5, 0.1}, {1e-9, 3e-9}, {5, 5}, {0, 0}}) {
    const std::vector<double> t = ticks(low, high);
    CHECK(t.front() <= low);
    CHECK(t.back() >= high);
    CHECK(t.size() >= 3);
    CHECK(t.size() <= 12);
  }
}

TEST_CASE("plot: one path a line, gaps at what is not a number, names escaped") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = plot({{"a<b", {1, 2, nan, 4, 5}, {}}, {"loss", {5, 4, 3}, {1, 3, 5}}}, {.title = "T & U"});
  CHECK(svg.find("a&lt;b") != std::string::npos);
  CHECK(svg.find("T &amp; U") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = svg.find("stroke-width=\"2\"", at)) != std::string::npos; ++at) ++count;
  CHECK(count == 2);
  const std::size_t from = svg.rfind("<path d=\"M", svg.find("stroke-width=\"2\""));
  const std::string path = svg.substr(from, svg.find("\" fill", from) - from);
  CHECK(std::count(path.begin(), path.end(), 'M') == 2);  // one before the gap, one after
}

TEST_CASE("plot: inside a page it takes the page's colours and says what it shows") {
  const std::string svg =
      plot({{"a", {1, 2}, {}, {0.5, 1.5}, {1.5, 2.5}}, {"b", {2, 1}, {}}}, {.description = "a < b", .embedded = true});
  CHECK(svg.find("aria-label=\"a &lt; b\"") != std::string::npos);
  CHECK(svg.find("var(--line2)") != std::string::npos);
  CHECK(svg.find("#0072b2") == std::string::npos);
  CHECK(svg.find("http") == std::string::npos);
  // No legend of its own; lines differ in dashes, so that colour is not all.
  CHECK(svg.find(">b<") == std::string::npos);
  CHECK(svg.find("stroke-dasharray=\"7 3\"") != std::string::npos);
  CHECK(plot_sample(1).find("stroke-dasharray=\"7 3\"") != std::string::npos);
}

TEST_CASE("plot: wrong input says what to do") {
  CHECK(error_of([] { plot({{"a", {1, 2}, {1}}}); }) == "ConfigError: plot: line \"a\" has 1 x and 2 y");
  CHECK(error_of([] {
          plot({{"a", {1, 2}, {}, {1}, {2, 3}}});
        }) == "ConfigError: plot: line \"a\" has 2 y and 1 and 2 ends of intervals");
  CHECK(error_of([] { plot({}); }) == "ConfigError: plot: there is no number to draw");
  CHECK(error_of([] {
          save_plot("/nowhere/at/all.svg", {{"a", {1}, {}}});
        }).find("cannot be written") != std::string::npos);
  CHECK(error_of([] {
          save_plot("/dev/full", {{"a", {1}, {}}});
        }).find("could not be written whole") != std::string::npos);
}
