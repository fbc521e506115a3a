#include "tests/ground/layers/upper/upper.h"

static_assert(gyre::kFloor == 1);
