#pragma once
/// Every operation.
#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/loss.h>
#include <weft/autograd/ops/normalization.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/autograd/ops/shape.h>
