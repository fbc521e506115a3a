// Chameneos-redux: creatures meet in pairs at one place and change their colours. n: meetings.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

enum Colour { kBlue, kRed, kYellow };
const char* const kColours[] = {"blue", "red", "yellow"};

Colour Complement(Colour a, Colour b) {
  return a == b ? a : static_cast<Colour>(3 - a - b);
}

std::string Spelled(int64_t n) {
  static const char* const kDigits[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
  std::string text;
  for (char digit : std::to_string(n)) text += std::string(" ") + kDigits[digit - '0'];
  return text;
}

struct Partner {
  int id;
  Colour colour;
};
struct Arrival {
  int id;
  Colour colour;
  Chan<Partner> partner;  // closed: there are no more meetings
};

void Meet(const std::vector<Colour>& colours, int64_t meetings) {
  Chan<Arrival> place = MakeChan<Arrival>();
  Chan<Unit> closed = MakeChan<Unit>();
  std::vector<int64_t> met(colours.size()), met_itself(colours.size());
  std::string header;
  WaitGroup wg;
  for (size_t i = 0; i < colours.size(); ++i) {
    header += std::string(" ") + kColours[colours[i]];
    wg.Go([&, i] {
      Colour colour = colours[i];
      Chan<Partner> mine = MakeChan<Partner>(1);
      for (;;) {
        bool over = false;
        Select(place.OnSend({static_cast<int>(i), colour, mine}), closed.OnRecv([&] { over = true; }));
        Partner partner{};
        if (over || !mine.Recv(partner)) return;
        ++met[i];
        if (partner.id == static_cast<int>(i)) ++met_itself[i];
        colour = Complement(colour, partner.colour);
      }
    });
  }
  for (int64_t i = 0; i < meetings; ++i) {
    const Arrival a = place.Recv(), b = place.Recv();
    a.partner.Send({b.id, b.colour});
    b.partner.Send({a.id, a.colour});
  }
  closed.Close();
  wg.Wait();
  absl::PrintF("%s\n", header);
  int64_t total = 0;
  for (size_t i = 0; i < colours.size(); ++i) {
    absl::PrintF("%d%s\n", met[i], Spelled(met_itself[i]));
    total += met[i];
  }
  absl::PrintF("%s\n\n", Spelled(total));
}

void Run(const Numbers& args) {
  for (Colour a : {kBlue, kRed, kYellow}) {
    for (Colour b : {kBlue, kRed, kYellow}) {
      absl::PrintF("%s + %s -> %s\n", kColours[a], kColours[b], kColours[Complement(a, b)]);
    }
  }
  absl::PrintF("\n");
  Meet({kBlue, kRed, kYellow}, args[0]);
  Meet({kBlue, kRed, kYellow, kRed, kYellow, kBlue, kRed, kYellow, kRed, kBlue}, args[0]);
  ExpectAlone();
}

const AddProgram added("P03", &Run);

}  // namespace
}  // namespace gyre::programs
