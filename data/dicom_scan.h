#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// A look at a DICOM file's structure before DCMTK sees it. Not installed.
namespace weft::data::detail {

struct DicomScan {
  std::string syntax;       ///< UID of the transfer syntax
  bool has_pixels = false;  ///< PixelData at the top
  bool in_fragments = false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      fragments;  ///< of PixelData, without the table of offsets: at, size
};

/// Walks through all elements (PS3.5, 7.1 to 7.5 and A.4) without keeping values. Throws FileError beginning with
/// `where` when an element reaches beyond its end or the file's, is none, or sequences lie more than 64 deep (DCMTK
/// follows them until the stack is full), and when a JPEG fragment's header would keep DCMTK going round for ever.
/// A syntax that only the caller knows to be unreadable ends the walk after the file's own header.
DicomScan scan_dicom(const std::string& where, const std::string& bytes);

}  // namespace weft::data::detail
