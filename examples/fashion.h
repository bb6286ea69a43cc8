#pragma once
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

/// The folder with Fashion-MNIST's four .gz files: $FASHION_MNIST, or where Debian's package puts them. Empty, after a
/// line that says so, when there is none.
inline std::string fashion_folder() {
  const char* given = std::getenv("FASHION_MNIST");
  const std::string folder = given ? given : "/usr/share/datasets/fashion-mnist";
  if (std::filesystem::exists(folder + "/train-images-idx3-ubyte.gz")) return folder;
  std::puts("skipped: no Fashion-MNIST; apt-get install dataset-fashion-mnist, or set FASHION_MNIST");
  return "";
}
