// Power series as streams that compute a coefficient when it is asked for (McIlroy, "Squinting at power series", 1990).
#include <deque>
#include <numeric>

#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

using Wide = __int128;

Wide Gcd(Wide a, Wide b) {
  if (a < 0) a = -a;
  while (b != 0) a = std::exchange(b, a % b);
  return a;
}

// A rational number, in lowest terms.
struct Rat {
  Wide num = 0;
  Wide den = 1;
};
Rat Make(Wide num, Wide den) {
  Wide g = Gcd(num, den);
  if (den < 0) g = -g;
  return {num / g, den / g};
}
Rat operator+(Rat a, Rat b) {
  return Make(a.num * b.den + b.num * a.den, a.den * b.den);
}
Rat operator*(Rat a, Rat b) {
  // Crosswise first: products stay small.
  const Rat x = Make(a.num, b.den), y = Make(b.num, a.den);
  return {x.num * y.num, x.den * y.den};
}
std::string Text(Rat r) {
  const auto num = static_cast<int64_t>(r.num), den = static_cast<int64_t>(r.den);
  return den == 1 ? absl::StrFormat("%d", num) : absl::StrFormat("%d/%d", num, den);
}

// A request, then the next coefficient.
struct Series {
  Chan<Unit> request = MakeChan<Unit>();
  Chan<Rat> data = MakeChan<Rat>();
};
Rat Get(const Series& s) {
  s.request.Send({});
  return s.data.Recv();
}
void Put(const Series& s, Rat value) {
  s.request.Recv();
  s.data.Send(value);
}

template <typename F>
Series Make(F f) {
  Series out;
  Go([out, f = std::move(f)] { f(out); });
  return out;
}

void CopyTo(const Series& from, const Series& to) {
  for (;;) Put(to, Get(from));
}

// Two streams of the same coefficients, either of which may run ahead. Cases that cannot be now are those of nil
// channels.
void SplitInto(const Series& from, const Series& a, const Series& b) {
  struct Side {
    Series out;
    std::deque<Rat> ahead;
    bool wanted = false;
    Chan<Unit> Request() const { return wanted ? Chan<Unit>() : out.request; }
    Chan<Rat> Data() const { return wanted && !ahead.empty() ? out.data : Chan<Rat>(); }
    Rat First() const { return ahead.empty() ? Rat() : ahead.front(); }
    void Sent() {
      ahead.pop_front();
      wanted = false;
    }
    bool Hungry() const { return wanted && ahead.empty(); }
  };
  Side x{a, {}, false}, y{b, {}, false};
  bool asked = false;
  for (;;) {
    const bool ask = !asked && (x.Hungry() || y.Hungry());
    Select(x.Request().OnRecv([&] { x.wanted = true; }), y.Request().OnRecv([&] { y.wanted = true; }),
           x.Data().OnSend(x.First(), [&] { x.Sent(); }), y.Data().OnSend(y.First(), [&] { y.Sent(); }),
           (ask ? from.request : Chan<Unit>()).OnSend({}, [&] { asked = true; }),
           (asked ? from.data : Chan<Rat>()).OnRecv([&](Rat r) {
             x.ahead.push_back(r);
             y.ahead.push_back(r);
             asked = false;
           }));
  }
}
std::pair<Series, Series> Split(const Series& from) {
  Series a, b;
  Go([=] { SplitInto(from, a, b); });
  return {a, b};
}

Series Constant(Rat c) {
  return Make([=](const Series& out) {
    for (;;) Put(out, c);
  });
}
Series Add(const Series& f, const Series& g) {
  return Make([=](const Series& out) {
    for (;;) {
      out.request.Recv();
      const Rat a = Get(f);
      out.data.Send(a + Get(g));
    }
  });
}
Series Scale(Rat c, const Series& f) {
  return Make([=](const Series& out) {
    for (;;) {
      out.request.Recv();
      out.data.Send(c * Get(f));
    }
  });
}
Series TimesX(const Series& f) {
  return Make([=](const Series& out) {
    Put(out, {});
    CopyTo(f, out);
  });
}
// (f + x F)(g + x G) = f g + x (f G + g F + x F G).
Series Mul(const Series& f_series, const Series& g_series) {
  return Make([=](const Series& out) {
    out.request.Recv();
    const Rat f = Get(f_series), g = Get(g_series);
    out.data.Send(f * g);
    const auto [f1, f2] = Split(f_series);
    const auto [g1, g2] = Split(g_series);
    const Series rest = Add(Add(Scale(f, g1), Scale(g, f1)), TimesX(Mul(f2, g2)));
    for (;;) {
      out.request.Recv();
      out.data.Send(Get(rest));
    }
  });
}
Series Diff(const Series& f) {
  return Make([=](const Series& out) {
    out.request.Recv();
    Get(f);  // the constant
    for (int64_t n = 1;; ++n) {
      out.data.Send(Rat{n, 1} * Get(f));
      out.request.Recv();
    }
  });
}
Series Integ(Rat constant, const Series& f) {
  return Make([=](const Series& out) {
    Put(out, constant);
    for (int64_t n = 1;; ++n) {
      out.request.Recv();
      out.data.Send(Make(1, n) * Get(f));
    }
  });
}
// X with X' = X F', X(0) = 1. X is made of itself.
Series Exp(const Series& f) {
  const Series x, again, out;
  Go([=] { SplitInto(x, again, out); });
  const Series integral = Integ({1, 1}, Mul(again, Diff(f)));
  Go([=] {
    for (;;) {
      x.request.Recv();
      x.data.Send(Get(integral));
    }
  });
  return out;
}
// f(c x^n).
Series MonomialSubstitute(const Series& f, Rat c, int n) {
  return Make([=](const Series& out) {
    Rat power{1, 1};
    for (;;) {
      out.request.Recv();
      out.data.Send(Get(f) * power);
      power = power * c;
      for (int i = 1; i < n; ++i) Put(out, {});
    }
  });
}

void Print(const char* name, const Series& s, int terms) {
  absl::PrintF("%s:", name);
  for (int i = 0; i < terms; ++i) absl::PrintF(" %s", Text(Get(s)));
  absl::PrintF("\n");
}

void Run(const Numbers&) {
  const auto ones = [] { return Constant({1, 1}); };
  Print("Ones", ones(), 10);
  Print("Add", Add(ones(), Constant({2, 1})), 10);
  Print("Diff", Diff(ones()), 10);
  Print("Integ", Integ({}, ones()), 10);
  Print("Mul", Mul(ones(), ones()), 10);
  Print("Exp", Exp(ones()), 15);
  Print("MonSubst", MonomialSubstitute(ones(), {-1, 1}, 2), 10);
  Print("ATan", Integ({}, MonomialSubstitute(ones(), {-1, 1}, 2)), 10);
}

const AddProgram added("P05", &Run);

}  // namespace
}  // namespace gyre::programs
