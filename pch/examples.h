// As standard.h, for examples: they see weft as its users do.
#include "standard.h"

#include <weft/weft.h>
