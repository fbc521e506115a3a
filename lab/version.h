// Which gyre a result was measured with.
#ifndef GYRE_LAB_VERSION_H_
#define GYRE_LAB_VERSION_H_

namespace gyre::lab {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace gyre::lab

#endif  // GYRE_LAB_VERSION_H_
