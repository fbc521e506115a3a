// Whether a text is JSON (RFC 8259), by another way than lab/json.h reads it: a pushdown automaton over characters.
#ifndef GYRE_TESTS_LAB_JSON_CHECKER_H_
#define GYRE_TESTS_LAB_JSON_CHECKER_H_

#include <string>

namespace gyre::lab {

// Empty if it is, otherwise where it is not.
std::string WhyNotJson(const std::string& text);

}  // namespace gyre::lab

#endif  // GYRE_TESTS_LAB_JSON_CHECKER_H_
