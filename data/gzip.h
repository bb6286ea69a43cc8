#pragma once
#include <cstdint>
#include <string>
#include <string_view>

/// Files packed by gzip (RFC 1952). Not installed.
namespace weft::data::detail {

/// Whether the bytes begin as a gzip file does.
inline bool is_gzip(std::string_view bytes) noexcept { return bytes.starts_with("\x1f\x8b"); }

/// What gzip packed, up to `most` bytes and one more, so that too much is noticed. Throws FileError naming
/// `operation` and `path` when the file is damaged, or weft was built without zlib.
std::string gunzip(const char* operation, const std::string& path, std::string_view packed, std::size_t most);

/// The bytes as a gzip file, the same for the same bytes. Throws FileError when weft was built without zlib.
std::string gzip(const char* operation, const std::string& path, std::string_view bytes);

/// The CRC-32 of ZIP, gzip and PNG; `before` is that of the bytes that came earlier.
std::uint32_t checksum(std::string_view bytes, std::uint32_t before = 0) noexcept;

}  // namespace weft::data::detail
