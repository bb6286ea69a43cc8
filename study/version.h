#pragma once

namespace weft::study {
/// As in meson.build.
extern const char* const version;
}  // namespace weft::study
