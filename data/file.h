#pragma once
#include <string>
#include <string_view>

/// Whole files, with errors that say which file and why.
namespace weft::data {

/// The bytes of a file. Throws FileError beginning with `operation` when it is missing, a folder, or cannot be read.
std::string read_file(const char* operation, const std::string& path);

/// Replaces a file by `bytes`: writes a neighbour and renames it, so that nobody ever sees half of it. What
/// is no file (a pipe, a device) is written to, and a link is followed.
/// Throws FileError beginning with `operation`; then the old file, if any, is as it was.
void write_file(const char* operation, const std::string& path, std::string_view bytes);

}  // namespace weft::data
