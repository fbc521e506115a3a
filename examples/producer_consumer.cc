// Producer and consumer: one sends and closes, the other ranges until the end.
#include "absl/strings/str_format.h"
#include "gyre.h"

void Produce(gyre::SendChan<int> ch) {
  for (int i = 0; i < 5; ++i) ch.Send(i);
  ch.Close();
}

void Consume(gyre::RecvChan<int> ch) {
  for (int value : ch) absl::PrintF("Consumed: %d\n", value);
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> ch = gyre::MakeChan<int>();
    gyre::Go([ch] { Produce(ch); });
    Consume(ch);
  });
}
