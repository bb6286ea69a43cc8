#pragma once
#include <cstdint>
#include <string>

#include <weft/weft.h>

/// The encoders of the examples on the simulated clinic.

inline weft::fusion::EncoderChoice clinic_encoder(const std::string& modality) {
  if (modality == "image")
    return {"cnn", {.in_features = 256, .hidden = {8, 16, 32}, .dropout = 0.3, .norm = "batch", .shape = {1, 16, 16}}};
  if (modality == "ecg")
    return {"cnn1d", {.in_features = 128, .hidden = {8, 16, 32}, .dropout = 0.3, .norm = "batch", .shape = {1, 128}}};
  if (modality == "note") return {"linear", {.in_features = std::ssize(weft::data::Clinic::words()), .hidden = {16}}};
  const std::int64_t values = 12, words = std::ssize(weft::data::Clinic::words());
  return {"mlp", {.in_features = modality == "alike" ? words + values : values, .hidden = {32, 16}}};
}
