// A context carries what belongs to a request down to those who work for it.
#include "absl/strings/str_format.h"
#include "gyre.h"

void ProcessRequest(const gyre::context::Context& ctx) {
  const int* user_id = ctx.ValueAs<int>("userID");
  absl::PrintF("Processing request for user: %d\n", *user_id);
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::context::Context ctx = gyre::context::WithValue(gyre::context::Background(), "userID", 12345);
    ProcessRequest(ctx);
  });
}
