#pragma once
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

/// What TensorBoard reads: `tensorboard --logdir runs` shows each folder below runs/ that holds an event file.
namespace weft::show {

/// Writes an event file: a chain of records, each the protocol buffer of a `tensorflow.Event` between its length and
/// checksums (the TFRecord format). Every record is handed to the system before a call returns, so that a program that
/// is killed leaves all that it wrote; a reader passes over a last record that is not whole.
///
///     show::EventFile events("runs/gate");
///     for (std::int64_t epoch = 0; epoch < 20; ++epoch)
///       events.scalar("loss/train", epoch, train_one_epoch());
class EventFile {
 public:
  /// Makes the folder if it is not there, and in it a new file "events.out.tfevents.<time>.<host>.<process>.<number>":
  /// files of earlier runs stay, and TensorBoard reads them before this one. Throws FileError.
  explicit EventFile(const std::string& folder);

  // All: `tag` is what a chart is called, a slash groups charts; steps should grow. Throw FileError when the file
  // cannot be written, as on a full disk.

  /// A point of a curve, kept as float32. NaN and infinities are shown as such.
  void scalar(std::string_view tag, std::int64_t step, double value);
  /// Text in UTF-8, shown as Markdown.
  void text(std::string_view tag, std::int64_t step, std::string_view markdown);
  /// How values are spread: counts in `buckets` equal steps from the least to the largest. What is not finite is not
  /// counted; nothing is written where nothing is left. Throws ConfigError for buckets < 1.
  void histogram(std::string_view tag, std::int64_t step, std::span<const double> values, int buckets = 30);

  const std::string& path() const noexcept { return path_; }

 private:
  void record(const std::string& event);

  std::string path_;
  std::ofstream out_;
};

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of records.
std::uint32_t crc32c(std::string_view bytes) noexcept;

}  // namespace weft::show
