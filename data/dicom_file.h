#pragma once
#include <string>

#include <weft/data/dicom.h>

/// What one file and a series share. Not installed.
namespace weft::data::detail {

/// read_dicom() with messages that begin with `operation`, and the file's SeriesInstanceUID.
Dicom read_dicom_file(const char* operation, const std::string& path, const DicomOptions& options, std::string& series);

/// Whether the file has the mark "DICM" after its first 128 bytes.
bool is_dicom(const char* operation, const std::string& path);

/// Throws ConfigError.
[[noreturn]] void without_dicom(const char* operation);

}  // namespace weft::data::detail
