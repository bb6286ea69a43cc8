// As standard.h, for tests: with what nearly all of them include.
#include "standard.h"

#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>
