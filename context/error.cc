#include "context/error.h"

#include <utility>

namespace gyre {

namespace {

class TextError final : public ErrorValue {
 public:
  explicit TextError(std::string text) : text_(std::move(text)) {}
  std::string Error() const override { return text_; }

 private:
  const std::string text_;
};

}  // namespace

Error NewError(std::string text) {
  return std::make_shared<TextError>(std::move(text));
}

}  // namespace gyre
