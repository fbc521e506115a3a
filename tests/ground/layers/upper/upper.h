// Something that only the upper floor may know.
#ifndef GYRE_TESTS_GROUND_LAYERS_UPPER_UPPER_H_
#define GYRE_TESTS_GROUND_LAYERS_UPPER_UPPER_H_

namespace gyre {
inline constexpr int kFloor = 1;
}  // namespace gyre

#endif  // GYRE_TESTS_GROUND_LAYERS_UPPER_UPPER_H_
