#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft::study {

/// A field of a CSV's line, in quotes where it must be.
std::string csv_field(const std::string& s);

/// A folder that results go to. Files appear all at once or not at all: they are written beside their places first
/// and renamed when all have been written, so that a full disk leaves the earlier results as they were.
class OutputFolder {
 public:
  /// Makes the folder and tries to write to it, before hours are spent on results that cannot be kept.
  /// Throws FileError.
  OutputFolder(const char* operation, std::string path);
  /// Removes what was not committed, and the folders it made if nothing came into them.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  void add(std::string name, std::string bytes);
  /// Where somebody else writes the file `name` before commit().
  std::string stage(std::string name);
  /// Writes what was added, and puts everything in its place. Throws FileError; then nothing has changed.
  void commit();
  std::string path(std::string_view name) const;
  /// Removes a file if it is there.
  void remove(std::string_view name) const noexcept;

 private:
  struct File {
    std::string name, bytes;
    bool staged;  ///< already written beside its place
  };
  const char* operation_;
  std::string path_;
  std::vector<std::string> made_;  ///< folders that were not there, the outermost first
  std::vector<File> files_;
};

}  // namespace weft::study
