#include <weft/study/version.h>

namespace weft::study {
const char* const version = WEFT_VERSION;
}  // namespace weft::study
