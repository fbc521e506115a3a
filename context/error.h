// Error values in Go's sense: why something ended, as an object with a text. No error is a null pointer.
//
//   gyre::Error err = ctx.Err();
//   if (err != nullptr) absl::PrintF("%s\n", err->Error());
//   if (err == gyre::context::Canceled) ...              // well-known errors are compared by identity
//
// They say what befell a context or a group of tasks. What a caller can act on is an absl::Status everywhere else.
#ifndef GYRE_CONTEXT_ERROR_H_
#define GYRE_CONTEXT_ERROR_H_

#include <memory>
#include <string>

namespace gyre {

class ErrorValue {
 public:
  virtual ~ErrorValue() = default;
  virtual std::string Error() const = 0;
  virtual bool Timeout() const { return false; }    // time was up
  virtual bool Temporary() const { return false; }  // trying again may help
};

using Error = std::shared_ptr<const ErrorValue>;

// Each call makes an error of its own, unequal to all others.
Error NewError(std::string text);

}  // namespace gyre

#endif  // GYRE_CONTEXT_ERROR_H_
