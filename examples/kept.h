#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

/// Results of an example's runs in a text file, a line for each, so that a program that was stopped can go on. A result
/// is any struct whose each(f) calls f(double&) on all of its numbers; `empty` has as many as those in the file.
template <class Result>
struct Kept {
  std::string path;  // empty: nothing is kept
  std::map<std::uint64_t, Result> runs{};

  explicit Kept(std::string file, const Result& empty = {}) : path(std::move(file)) {
    std::ifstream in(path);
    for (std::uint64_t run = 0; in >> run;) {
      Result one = empty;
      one.each([&](double& v) { in >> v; });
      if (in) runs[run] = one;  // not a line that was cut off
    }
  }
  void add(std::uint64_t run, Result one) {
    runs[run] = one;
    if (path.empty()) return;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream out(path, std::ios::app);
    out.precision(17);
    out << run;
    one.each([&](double v) { out << ' ' << v; });
    out << '\n';
  }
};
