#pragma once
#include <string>
#include <vector>

#include <weft/weft.h>

/// The two studies of precision.cpp: images with labels, and a network for each.
using namespace weft;

struct Study {
  Tensor x, y, test_x, test_y;  // x (N, ...) of about mean 0 and deviation 1, y (N,) int64
};

/// 8 x 8 pixels from 0 to 16.
inline Study scanned_digits(const std::string& path) {
  const data::Table all = data::read_csv(path);
  std::vector<std::int64_t> rows[2];  // "test" comes before "train"
  for (std::int64_t i = 0; i < all.rows(); ++i) rows[all.at("split").codes[static_cast<std::size_t>(i)]].push_back(i);
  const auto part = [&](int k, const char* columns) {
    return all.take(rows[k]).matrix(std::vector<std::string>{columns});
  };
  const auto x = [&](int k) { return reshape(to(part(k, "pixel_*"), DType::float32) / 6.0 - 0.8, {-1, 1, 8, 8}); };
  const auto y = [&](int k) { return to(squeeze(part(k, "target"), 1), DType::int64); };
  return {x(1), y(1), x(0), y(0)};
}

/// 16 rows of 15 pixels from 0 to 6.
inline Study rows_of_digits(const std::string& folder) {
  const auto read = [&](const std::string& name) { return data::load_npy(folder + "/" + name + ".npy"); };
  const auto x = [&](const char* part) {
    return reshape(to(read(std::string("x1_pix_240_") + part), DType::float32) / 3.0 - 1.0, {-1, 16, 15});
  };
  const auto y = [&](const char* part) { return to(read(std::string("y_") + part), DType::int64); };
  return {x("train"), y("train"), x("test"), y("test")};
}

/// For images (B, 1, 8, 8).
inline Sequential convolutional() {
  return Sequential(Conv2d({.in_channels = 1, .out_channels = 16, .kernel_size = 3, .padding = 1}), ReLU(),
                    MaxPool2d(2), Conv2d({.in_channels = 16, .out_channels = 32, .kernel_size = 3, .padding = 1}),
                    ReLU(), MaxPool2d(2), Flatten(), Linear(32 * 4, 10));
}

/// For sequences (B, 16, 15).
struct Reader {
  Linear rows{15, 32};
  Tensor place = randn({1, 16, 32}, 0, 0.1).set_requires_grad();
  TransformerEncoder encoder{
      {.layer = {.d_model = 32, .nhead = 4, .dim_feedforward = 64, .dropout = 0, .batch_first = true},
       .num_layers = 2}};
  Linear out{32, 10};
  Tensor operator()(const Tensor& x) const { return out(mean(encoder(rows(x) + place), 1)); }
  void fields(auto&& f) { f("rows", rows, "place", place, "encoder", encoder, "out", out); }
};
