#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <weft/show/event_file.h>

#include "data_help.h"
#include "error_of.h"

using namespace weft;
using show::EventFile;
using tests::error_of;

TEST_CASE("event file: checksums are those of RFC 3720") {
  CHECK(show::crc32c("123456789") == 0xE3069283U);
  CHECK(show::crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(show::crc32c(std::string(32, '\xff')) == 0x62A8AB43U);
  CHECK(show::crc32c("") == 0);
}

namespace {
std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
}  // namespace

TEST_CASE("event file: begins as all event files do") {
  const TemporaryFolder folder;
  EventFile events(folder / "runs/gate");
  const std::string start = read(events.path());
  // A record of 24 bytes, the masked checksum of that number, and the time as a double in field 1.
  CHECK(start.substr(0, 13) == std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22\x09", 13));
  CHECK(start.size() == 40);
  CHECK(start.substr(21, 15) ==
        "\x1a\x0d"
        "brain.Event:2");
}

TEST_CASE("event file: every call is in the file when it returns") {
  const TemporaryFolder folder;
  EventFile events(folder / "runs"), other(folder / "runs");
  CHECK(events.path() != other.path());
  std::size_t size = read(events.path()).size();
  const auto grown = [&] {
    const std::size_t before = size;
    size = read(events.path()).size();
    return size - before;
  };
  events.scalar("loss", 3, 0.25);
  // 16 around the record, time 9, step 2, and in messages of 2 bytes each: a tag of 6, a float of 5
  CHECK(grown() == 16 + 9 + 2 + 2 + 2 + 6 + 5);
  CHECK(read(events.path()).find(std::string("\x0a\x04loss\x15\0\0\x80\x3e", 11)) != std::string::npos);
  events.text("study", 0, "**bold**");
  CHECK(grown() > 0);
  events.histogram("weight", 1, std::vector<double>{0.1, 0.2, 0.9});
  CHECK(grown() > 0);
  const double infinity = std::numeric_limits<double>::infinity();
  events.histogram("weight", 2, std::vector<double>{infinity, std::nan("")});
  CHECK(grown() == 0);
  const double largest = std::numeric_limits<double>::max();
  events.histogram("weight", 3, std::vector<double>{-largest, largest, 0});
  events.histogram("weight", 4, std::vector<double>{1, 1, 1}, 1);
  CHECK(grown() > 0);
}

TEST_CASE("event file: what cannot be written is said") {
  const TemporaryFolder folder;
  folder.write("file", "");
  const std::string below = folder / "file/runs";
  CHECK(error_of([&] {
          EventFile{below};
        }).starts_with("FileError: events: cannot write " + below + "/events.out.tfevents."));
  EventFile events(folder / "runs");
  CHECK(error_of([&] { events.histogram("a", 1, std::vector<double>{1}, 0); }) ==
        "ConfigError: histogram: buckets is 0\n  help: give 1 or more");
}
