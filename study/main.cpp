#include <fcntl.h>
#include <unistd.h>

#include <weft/study/command_line.h>

namespace {

/// Somebody may have closed a standard stream: files opened later must not take its number.
void occupy_streams() {
  while (true) {
    const int descriptor = ::open("/dev/null", O_RDWR);
    if (descriptor > 2) ::close(descriptor);
    if (descriptor > 2 || descriptor < 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  occupy_streams();
  return weft::study::run_command_line(argc, argv);
}
