#include "tensor/dim.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace mote {
namespace {

using Atom = Dim::Atom;
using Term = Dim::Term;

constexpr std::int64_t kMaxInt = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinInt = std::numeric_limits<std::int64_t>::min();

std::int64_t sat_add(std::int64_t a, std::int64_t b) {
  std::int64_t r;
  if (!__builtin_add_overflow(a, b, &r)) return r;
  return a > 0 ? kMaxInt : kMinInt;
}

std::int64_t sat_mul(std::int64_t a, std::int64_t b) {
  std::int64_t r;
  if (!__builtin_mul_overflow(a, b, &r)) return r;
  return (a > 0) == (b > 0) ? kMaxInt : kMinInt;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return a == kMinInt ? kMaxInt : -a;
  std::int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

int compare(const Term& a, const Term& b) {
  for (std::size_t i = 0; i < a.factors.size() && i < b.factors.size(); ++i) {
    if (int c = a.factors[i]->key.compare(b.factors[i]->key)) return c;
  }
  return static_cast<int>(a.factors.size()) - static_cast<int>(b.factors.size());
}

}  // namespace

std::span<const Term> Dim::terms() const { return terms_ ? std::span<const Term>(*terms_) : std::span<const Term>(); }

Dim Dim::make(std::int64_t constant, std::vector<Term> terms) {
  std::sort(terms.begin(), terms.end(), [](const Term& x, const Term& y) { return compare(x, y) < 0; });
  std::vector<Term> merged;
  for (Term& t : terms) {
    if (!merged.empty() && compare(merged.back(), t) == 0) {
      merged.back().coef = sat_add(merged.back().coef, t.coef);
    } else {
      merged.push_back(std::move(t));
    }
  }
  std::erase_if(merged, [](const Term& t) { return t.coef == 0; });
  Dim d(constant);
  if (!merged.empty()) d.terms_ = std::make_shared<const std::vector<Term>>(std::move(merged));
  return d;
}

Dim Dim::from_atom(std::shared_ptr<const Atom> atom) { return make(0, {Term{1, {std::move(atom)}}}); }

Dim Dim::symbol(std::string_view name) {
  return from_atom(std::make_shared<const Atom>(Atom{Fn::kSymbol, std::string(name), {}, {}}));
}

std::string_view Dim::symbol_name() const {
  if (is_const() || constant_ != 0 || terms_->size() != 1) return {};
  const Term& t = terms_->front();
  if (t.coef != 1 || t.factors.size() != 1 || t.factors[0]->fn != Fn::kSymbol) return {};
  return t.factors[0]->key;
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.is_const() || b.is_const()) {
    Dim sum = a.is_const() ? b : a;
    sum.constant_ = sat_add(a.constant_, b.constant_);
    return sum;
  }
  std::vector<Term> terms(a.terms().begin(), a.terms().end());
  terms.insert(terms.end(), b.terms().begin(), b.terms().end());
  return Dim::make(sat_add(a.constant_, b.constant_), std::move(terms));
}

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return sat_mul(a.constant_, b.constant_);
  if (a.is(1)) return b;
  if (b.is(1)) return a;
  std::vector<Term> terms;
  for (const Term& t : a.terms()) {
    if (b.constant_ != 0) terms.push_back(Term{sat_mul(t.coef, b.constant_), t.factors});
    for (const Term& u : b.terms()) {
      Term product{sat_mul(t.coef, u.coef), t.factors};
      product.factors.insert(product.factors.end(), u.factors.begin(), u.factors.end());
      std::sort(product.factors.begin(), product.factors.end(),
                [](const auto& x, const auto& y) { return x->key < y->key; });
      terms.push_back(std::move(product));
    }
  }
  if (a.constant_ != 0) {
    for (const Term& u : b.terms()) terms.push_back(Term{sat_mul(u.coef, a.constant_), u.factors});
  }
  return Dim::make(sat_mul(a.constant_, b.constant_), std::move(terms));
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

bool operator==(const Dim& a, const Dim& b) {
  if (a.constant_ != b.constant_ || a.is_const() != b.is_const()) return false;
  if (a.is_const() || a.terms_ == b.terms_) return true;
  return std::equal(a.terms_->begin(), a.terms_->end(), b.terms_->begin(), b.terms_->end(),
                    [](const Term& x, const Term& y) { return x.coef == y.coef && compare(x, y) == 0; });
}

namespace {

int sign_of(const Dim& d);

// Symbols are never negative, nor is what is made of them without subtraction.
bool never_negative(const Dim::Atom& atom) {
  switch (atom.fn) {
    case Dim::Fn::kSymbol:
      return true;
    case Dim::Fn::kMax:
      return sign_of(atom.a) > 0 || sign_of(atom.b) > 0;
    case Dim::Fn::kFloorDiv:
    case Dim::Fn::kMod:
    case Dim::Fn::kMin:
      return sign_of(atom.a) > 0 && sign_of(atom.b) > 0;
  }
  return false;
}

// 1: never negative, -1: never positive, 0: not known.
int sign_of(const Dim& d) {
  bool any_negative = d.constant_term()<0, any_positive = d.constant_term()> 0;
  for (const Dim::Term& t : d.terms()) {
    (t.coef < 0 ? any_negative : any_positive) = true;
    if (!std::all_of(t.factors.begin(), t.factors.end(), [](const auto& f) { return never_negative(*f); })) return 0;
  }
  return any_negative && any_positive ? 0 : any_negative ? -1 : 1;
}

}  // namespace

Dim Dim::apply(Fn fn, const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) {
    std::int64_t x = a.constant_, y = b.constant_;
    switch (fn) {
      case Fn::kFloorDiv:
        return floor_div(x, y);
      case Fn::kMod:
        return y == 0 ? 0 : x - floor_div(x, y) * y;
      case Fn::kMin:
        return std::min(x, y);
      case Fn::kMax:
        return std::max(x, y);
      case Fn::kSymbol:
        break;
    }
  }
  bool equal = a == b;
  if ((fn == Fn::kMin || fn == Fn::kMax) && equal) return a;
  // A difference of known sign decides min and max.
  if (fn == Fn::kMin || fn == Fn::kMax) {
    if (int sign = sign_of(a - b)) return ((sign > 0) == (fn == Fn::kMax)) ? a : b;
    // max(min(x, y), y) is y, and max(max(x, y), y) is max(x, y); so with the two exchanged.
    for (auto [x, y] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      if (x->constant_ != 0 || x->terms().size() != 1) continue;
      const Term& t = x->terms()[0];
      if (t.coef != 1 || t.factors.size() != 1) continue;
      const Atom& f = *t.factors[0];
      if ((f.fn == Fn::kMin || f.fn == Fn::kMax) && (f.a == *y || f.b == *y)) return f.fn == fn ? *x : *y;
    }
  }
  if (fn == Fn::kFloorDiv && b.is(1)) return a;
  if (fn == Fn::kMod && (b.is(1) || equal)) return 0;
  if (fn == Fn::kFloorDiv && !b.is(0)) {
    if (equal) return 1;
    // Exact division of every term by a constant or by one product of symbols.
    std::int64_t divisor = b.is_const() ? b.constant_ : 0;
    if (divisor > 0) {
      bool exact =
          std::all_of(a.terms().begin(), a.terms().end(), [&](const Term& t) { return t.coef % divisor == 0; });
      if (exact) {
        std::vector<Term> terms(a.terms().begin(), a.terms().end());
        for (Term& t : terms) t.coef /= divisor;
        return make(floor_div(a.constant_, divisor), std::move(terms));
      }
    } else if (!b.is_const() && b.constant_ == 0 && b.terms().size() == 1 && a.constant_ == 0) {
      const Term& by = b.terms()[0];
      std::vector<Term> terms;
      for (const Term& t : a.terms()) {
        if (t.coef % by.coef != 0) break;
        Term q{t.coef / by.coef, t.factors};
        bool divides = true;
        for (const auto& f : by.factors) {
          auto it = std::find_if(q.factors.begin(), q.factors.end(), [&](const auto& g) { return g->key == f->key; });
          if (it == q.factors.end()) {
            divides = false;
            break;
          }
          q.factors.erase(it);
        }
        if (!divides) break;
        terms.push_back(std::move(q));
      }
      if (terms.size() == a.terms().size()) {
        Dim sum(0);
        for (Term& t : terms) sum = sum + (t.factors.empty() ? Dim(t.coef) : make(0, {t}));
        return sum;
      }
    }
  }
  const char* names[] = {"", "floordiv", "mod", "min", "max"};
  bool swap = (fn == Fn::kMin || fn == Fn::kMax) && b.to_string() < a.to_string();
  const Dim &x = swap ? b : a, &y = swap ? a : b;
  std::string key = std::string(names[static_cast<int>(fn)]) + "(" + x.to_string() + "," + y.to_string() + ")";
  return from_atom(std::make_shared<const Atom>(Atom{fn, std::move(key), x, y}));
}

Dim floordiv(const Dim& a, const Dim& b) { return Dim::apply(Dim::Fn::kFloorDiv, a, b); }
Dim mod(const Dim& a, const Dim& b) { return Dim::apply(Dim::Fn::kMod, a, b); }
Dim min(const Dim& a, const Dim& b) { return Dim::apply(Dim::Fn::kMin, a, b); }
Dim max(const Dim& a, const Dim& b) { return Dim::apply(Dim::Fn::kMax, a, b); }
Dim ceildiv(const Dim& a, const Dim& b) { return floordiv(a + b - Dim(1), b); }

void Dim::collect_symbols(std::vector<std::string>& out) const {
  for (const Term& t : terms()) {
    for (const auto& f : t.factors) {
      if (f->fn == Fn::kSymbol) {
        if (std::find(out.begin(), out.end(), f->key) == out.end()) out.push_back(f->key);
      } else {
        f->a.collect_symbols(out);
        f->b.collect_symbols(out);
      }
    }
  }
}

std::string Dim::to_string() const {
  if (is_const()) return std::to_string(constant_);
  std::string s;
  for (const Term& t : *terms_) {
    std::string factors;
    for (const auto& f : t.factors) factors += (factors.empty() ? "" : "*") + f->key;
    if (!s.empty() && t.coef > 0) s += "+";
    if (t.coef == -1) {
      s += "-";
    } else if (t.coef != 1) {
      s += std::to_string(t.coef) + "*";
    }
    s += factors;
  }
  if (constant_ > 0) s += "+";
  if (constant_ != 0) s += std::to_string(constant_);
  return s;
}

namespace {

// Recursive descent over: sum := ['-'] product (('+'|'-') product)*; product := atom ('*' atom)*;
// atom := integer | name | fn '(' sum ',' sum ')'.
class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}
  Result<Dim> parse() {
    std::optional<Dim> d = sum(0);
    if (!d || pos_ != text_.size())
      return invalid("dimension '" + std::string(text_) + "' is not an integer or an expression");
    return *d;
  }

 private:
  bool take(char c) {
    if (pos_ < text_.size() && text_[pos_] == c) return ++pos_, true;
    return false;
  }
  // Products of sums grow exponentially; no honest extent does.
  static std::optional<Dim> small(Dim d) {
    if (d.terms().size() > 256) return std::nullopt;
    for (const Term& t : d.terms()) {
      if (t.factors.size() > 64) return std::nullopt;
    }
    return d;
  }

  std::optional<Dim> sum(int depth) {
    if (depth > 32) return std::nullopt;
    bool negative = take('-');
    std::optional<Dim> total = product(depth);
    if (total && negative) total = *total * Dim(-1);
    while (total && pos_ < text_.size() && (text_[pos_] == '+' || text_[pos_] == '-')) {
      bool minus = text_[pos_++] == '-';
      std::optional<Dim> p = product(depth);
      if (!p) return std::nullopt;
      total = small(minus ? *total - *p : *total + *p);
    }
    return total;
  }
  std::optional<Dim> product(int depth) {
    std::optional<Dim> total = atom(depth);
    while (total && take('*')) {
      std::optional<Dim> a = atom(depth);
      if (!a) return std::nullopt;
      total = small(*total * *a);
    }
    return total;
  }
  std::optional<Dim> atom(int depth) {
    std::size_t start = pos_;
    if (pos_ < text_.size() && text_[pos_] >= '0' && text_[pos_] <= '9') {
      std::int64_t v = 0;
      auto [end, ec] = std::from_chars(text_.data() + pos_, text_.data() + text_.size(), v);
      if (ec != std::errc()) return std::nullopt;
      pos_ = static_cast<std::size_t>(end - text_.data());
      return Dim(v);
    }
    while (pos_ < text_.size() && std::string_view("+-*(), ").find(text_[pos_]) == std::string_view::npos) ++pos_;
    std::string_view name = text_.substr(start, pos_ - start);
    if (name.empty()) return std::nullopt;
    if (!take('(')) return Dim::symbol(name);
    std::optional<Dim> a = sum(depth + 1);
    if (!a || !take(',')) return std::nullopt;
    std::optional<Dim> b = sum(depth + 1);
    if (!b || !take(')')) return std::nullopt;
    if (name == "floordiv") return floordiv(*a, *b);
    if (name == "mod") return mod(*a, *b);
    if (name == "min") return min(*a, *b);
    if (name == "max") return max(*a, *b);
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t pos_ = 0;
};

}  // namespace

Result<Dim> Dim::parse(std::string_view text) { return DimParser(text).parse(); }

Dim volume(const Shape& shape) {
  Dim v(1);
  for (const Dim& d : shape) v = v * d;
  return v;
}

std::string to_string(const Shape& shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? "," : "") + shape[i].to_string();
  return s + "]";
}

std::optional<std::vector<std::int64_t>> constant_extents(const Shape& shape) {
  std::vector<std::int64_t> out;
  for (const Dim& d : shape) {
    if (!d.is_const()) return std::nullopt;
    out.push_back(d.value());
  }
  return out;
}

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::size_t back = out.size() - i;
    Dim x = back <= a.size() ? a[a.size() - back] : Dim(1), y = back <= b.size() ? b[b.size() - back] : Dim(1);
    if (x == y || y.is(1)) {
      out[i] = x;
    } else if (x.is(1)) {
      out[i] = y;
    } else if (x.is_const() && y.is_const()) {
      return invalid("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    } else if (x.is_const() || y.is_const()) {
      out[i] = x.is_const() ? x : y;
    } else {
      out[i] = max(x, y);
    }
  }
  return out;
}

}  // namespace mote
