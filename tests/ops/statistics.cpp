#include "record.h"

namespace weft::tests {}
